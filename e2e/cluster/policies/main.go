// What enforces NetworkPolicies on the node: kube-router's controller of them alone, without its router and its proxy.
//
//	policies KUBECONFIG NODE SERVICE_CIDR
package main

import (
	"log"
	"os"
	"sync"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	config := options.NewKubeRouterConfig()
	config.HostnameOverride, config.ClusterIPCIDRs, config.EnableIPv4 = os.Args[2], []string{os.Args[3]}, true
	client := must(kubernetes.NewForConfig(must(clientcmd.BuildConfigFromFlags("", os.Args[1]))))

	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods().Informer(), factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	stop, beats := make(chan struct{}), make(chan *healthcheck.ControllerHeartbeat, 10)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)

	tables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		log.Fatal(err)
	}
	var ipsets sync.Mutex
	controller := must(netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &ipsets, tables, sets))
	must(pods.AddEventHandler(controller.PodEventHandler))
	must(namespaces.AddEventHandler(controller.NamespaceEventHandler))
	must(policies.AddEventHandler(cache.ResourceEventHandler(controller.NetworkPolicyEventHandler)))
	var running sync.WaitGroup
	running.Add(1)
	go controller.Run(beats, stop, &running)
	// Nobody else takes them out of the channel, which would fill.
	for range beats {
	}
}
