// Prints the events of one order, or of all of them, each once: one line of JSON for each.
//
//	consume [-group NAME] [-idle SECONDS] [ORDER]
//
// Ends when the order has come to its end, or when nothing was printed for some seconds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

var topics = []string{"order.events", "payment.events", "inventory.events", "shipping.events"}

// The line of one event.
type line struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Type      string `json:"type"`
	Source    string `json:"source"`
	ID        string `json:"id"`
	Sequence  string `json:"sequence"`
	Time      string `json:"time"`
	Data      any    `json:"data"`
}

func main() {
	group := flag.String("group", "example-go", "the consumer group")
	idle := flag.Float64("idle", 30, "seconds without an event after which to end")
	flag.Parse()
	order := flag.Arg(0)
	client := must(kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("FLOTILLA_KAFKA_BROKERS"), ",")...),
		kgo.ConsumerGroup(*group),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // A new group begins with the first event.
		// Commits what was marked, and we mark what was handled. Without it whatever was polled is committed, and a
		// crash loses what was polled and not handled.
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(time.Second),
		// Partitions move only between our polls: whoever gets them goes on where we stopped.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, _ map[string][]int32) {
			if err := client.CommitMarkedOffsets(ctx); err != nil {
				log.Print("not committed, so it will be read again: ", err)
			}
		}),
	))
	defer client.CloseAllowingRebalance()
	registry := must(sr.NewClient(sr.URLs(os.Getenv("FLOTILLA_REGISTRY_URL"))))
	schemas := map[int]*avro.Schema{}
	// Delivery is at least once. What must not happen twice belongs in one transaction with this id, in a database:
	// this set ends with the process.
	seen := map[[2]string]bool{}
	// Where the topics ended when the order did. Topics are not ordered among each other: order's last event may be
	// read before payment's, though it was published after them.
	var ends kadm.ListedOffsets
	for last := time.Now(); time.Since(last).Seconds() < *idle && !isAtEnd(client, ends); client.AllowRebalance() {
		polling, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		fetches := client.PollFetches(polling)
		cancel()
		fetches.EachError(func(topic string, _ int32, err error) {
			if !errors.Is(err, context.DeadlineExceeded) {
				log.Fatalf("%s: %v", topic, err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			ce := map[string]string{}
			for _, header := range record.Headers {
				ce[strings.TrimPrefix(header.Key, "ce_")] = string(header.Value)
			}
			event := [2]string{ce["source"], ce["id"]}
			if (order == "" || order == string(record.Key)) && !seen[event] {
				seen[event] = true
				fmt.Println(string(must(json.Marshal(line{record.Topic, record.Partition, record.Offset, ce["type"],
					ce["source"], ce["id"], ce["sequence"], ce["time"], decode(registry, schemas, record.Value)}))))
				last = time.Now()
				isLast := strings.HasSuffix(ce["type"], ".OrderCompleted") || strings.HasSuffix(ce["type"], ".OrderCompensated")
				if order != "" && isLast {
					ends = must(kadm.NewClient(client).ListEndOffsets(context.Background(), topics...))
				}
			}
			client.MarkCommitRecords(record)
		})
	}
	client.AllowRebalance()
	if err := client.CommitMarkedOffsets(context.Background()); err != nil {
		log.Print("not committed, so it will be read again: ", err)
	}
}

// The first byte is zero, the next four are the schema's id at the registry.
func decode(registry *sr.Client, schemas map[int]*avro.Schema, value []byte) (data any) {
	id, body, err := new(sr.ConfluentHeader).DecodeID(value)
	if err != nil {
		log.Fatal(err)
	}
	if schemas[id] == nil {
		text := must(registry.SchemaByID(context.Background(), id))
		schemas[id] = must(avro.Parse(text.Schema))
	}
	must(schemas[id].Decode(body, &data))
	return data
}

func isAtEnd(client *kgo.Client, ends kadm.ListedOffsets) bool {
	committed, all := client.CommittedOffsets(), ends != nil
	ends.Each(func(end kadm.ListedOffset) {
		all = all && committed[end.Topic][end.Partition].Offset >= end.Offset
	})
	return all
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
