// Leads TCP connections from one network namespace into another, as the node has no other way in or out:
//
//	forward LISTEN_NAMESPACE DIAL_NAMESPACE LISTEN=DIAL...
//
// Namespaces are files such as /proc/PID/ns/net; "-" is its own.
package main

import (
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// The number of setns, which package syscall does not have.
var setns = map[string]uintptr{"amd64": 308, "arm64": 268}[runtime.GOARCH]

func open(path string) *os.File {
	if path == "-" {
		path = "/proc/self/ns/net"
	}
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	return file
}

// Runs do on a thread that is in the namespace. The thread is thrown away afterwards.
func in(namespace *os.File, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if _, _, failed := syscall.RawSyscall(setns, namespace.Fd(), syscall.CLONE_NEWNET, 0); failed != 0 {
			log.Fatal("setns: ", failed)
		}
		do()
	}()
	<-done
}

func lead(from net.Conn, namespace *os.File, address string) {
	defer from.Close()
	var to net.Conn
	var err error
	in(namespace, func() { to, err = net.Dial("tcp", address) })
	if err != nil {
		log.Print(err)
		return
	}
	defer to.Close()
	back := make(chan struct{})
	go func() {
		io.Copy(from, to)
		from.(*net.TCPConn).CloseWrite()
		close(back)
	}()
	io.Copy(to, from)
	to.(*net.TCPConn).CloseWrite()
	<-back
}

func main() {
	listening, dialing := open(os.Args[1]), open(os.Args[2])
	for _, pair := range os.Args[3:] {
		from, to, _ := strings.Cut(pair, "=")
		var listener net.Listener
		var err error
		in(listening, func() { listener, err = net.Listen("tcp", from) })
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					log.Fatal(err)
				}
				go lead(connection, dialing, to)
			}
		}()
	}
	select {}
}
