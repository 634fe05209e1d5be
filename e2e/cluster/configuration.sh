# The node's keys and the configuration of its programs. Separate from `node`, which starts them and reads this file.
# shellcheck shell=bash disable=SC2154

certificate() { # NAME SUBJECT [ALTERNATIVE NAMES]
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$2" \
        -keyout "$keys/$1.key" -out "$keys/$1.csr" 2>/dev/null
    printf 'extendedKeyUsage=serverAuth,clientAuth\n%s' "${3:+subjectAltName=$3}" >"$keys/extensions"
    openssl x509 -req -days 30 -in "$keys/$1.csr" -CA "$keys/ca.crt" -CAkey "$keys/ca.key" -CAcreateserial \
        -extfile "$keys/extensions" -out "$keys/$1.crt" 2>/dev/null
}

make_keys() {
    mkdir -p "$keys"
    chmod 700 "$keys"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=node \
        -keyout "$keys/ca.key" -out "$keys/ca.crt" 2>/dev/null
    local service=kubernetes.default.svc
    certificate apiserver /CN=kube-apiserver \
        "DNS:localhost,DNS:kubernetes,DNS:${service%.svc},DNS:$service,DNS:$service.cluster.local,IP:127.0.0.1,IP:$API_ADDRESS,IP:$NODE_ADDRESS"
    certificate admin /O=system:masters/CN=admin
    certificate kubelet "/O=system:nodes/CN=system:node:$NODE" "DNS:$NODE,IP:$NODE_ADDRESS,IP:127.0.0.1"
    certificate apiserver-kubelet /O=system:masters/CN=apiserver-kubelet
    certificate manager /CN=system:kube-controller-manager
    certificate scheduler /CN=system:kube-scheduler
    certificate proxy /CN=system:kube-proxy
    certificate aggregator /CN=aggregator
    openssl genrsa -out "$keys/accounts.key" 2048 2>/dev/null
    openssl rsa -in "$keys/accounts.key" -pubout -out "$keys/accounts.pub" 2>/dev/null
    local name
    for name in admin kubelet manager scheduler proxy; do kubeconfig "$name"; done
}

kubeconfig() {
    cat >"$folder/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: node, cluster: {server: "https://127.0.0.1:6443", certificate-authority: $keys/ca.crt}}]
users: [{name: $1, user: {client-certificate: $keys/$1.crt, client-key: $keys/$1.key}}]
contexts: [{name: node, context: {cluster: node, user: $1}}]
current-context: node
YAML
    chmod 600 "$folder/$1.kubeconfig"
}

configure() {
    mkdir -p "$folder"/{log,run,cni,containerd,kubelet,volumes}
    make_keys
    printf 'nameserver %s\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n' \
        "$DNS_ADDRESS" >"$folder/resolv.conf"
    echo 'hosts: files dns' >"$folder/nsswitch.conf"
    echo 'nameserver 127.0.0.1' >"$folder/resolv-none.conf"
    cat >"$folder/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: $cgroup
tlsCertFile: $keys/kubelet.crt
tlsPrivateKeyFile: $keys/kubelet.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $keys/ca.crt}}
authorization: {mode: Webhook}
clusterDNS: [$DNS_ADDRESS]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix://$socket
resolvConf: $folder/resolv-none.conf
seccompDefault: true
failSwapOn: false
# Below zero is refused where root may not raise its own priority.
oomScoreAdj: 0
maxOpenFiles: $(ulimit -Hn | sed 's/unlimited/1000000/')
volumePluginDir: $folder/kubelet/volumeplugins
serializeImagePulls: false
# Images are put here by hand and cannot be pulled again.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
# Its disk is the machine's, of which a percent may be gigabytes.
evictionHard: {memory.available: 200Mi, nodefs.available: 200Mi, nodefs.inodesFree: 1%, imagefs.available: 200Mi}
YAML
    cat >"$folder/containerd.toml" <<TOML
version = 2
root = "$folder/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$folder/cni"
TOML
    cat >"$folder/cni/10-node.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "node", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "$PODS"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
    cat >"$folder/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $PODS
detectLocalMode: ClusterCIDR
hostnameOverride: $NODE
clientConnection: {kubeconfig: $folder/proxy.kubeconfig}
# Limits of the whole machine, which this node leaves alone.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 0s}
oomScoreAdj: 0
YAML
}
