// Tells the warehouse's topic that the units of an item have changed.
//
//	adjust SKU DELTA ADJUSTMENT_ID
//
// An adjustment counts once however often it is sent: after an error send it again with the same id, a UUID.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

const (
	topic  = "warehouse.stock-adjustments"
	record = "flotilla.warehouse.v1.StockAdjusted"
)

type stockAdjusted struct {
	AdjustmentID string    `avro:"adjustment_id"`
	SKU          string    `avro:"sku"`
	Delta        int64     `avro:"delta"`
	Note         string    `avro:"note"`
	OccurredAt   time.Time `avro:"occurred_at"`
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: adjust SKU DELTA ADJUSTMENT_ID")
	}
	sku, delta, id := os.Args[1], must(strconv.ParseInt(os.Args[2], 10, 64)), os.Args[3]
	now := time.Now().UTC()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	registry := must(sr.NewClient(sr.URLs(os.Getenv("FLOTILLA_REGISTRY_URL"))))
	// The fleet's topics carry several types, each under its own subject. Schemas are registered when the fleet is
	// deployed: a producer looks them up, and never changes the contract.
	latest := must(registry.SchemaByVersion(ctx, topic+"-"+record, -1))
	value := must(new(sr.ConfluentHeader).AppendEncode(nil, latest.ID, nil))
	value = must(must(avro.Parse(latest.Schema.Schema)).AppendEncode(value, &stockAdjusted{id, sku, delta, "go", now}))

	// By default the client chooses a key's partition as Java does, and its retries repeat nothing.
	client := must(kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Getenv("FLOTILLA_KAFKA_BROKERS"), ",")...)))
	defer client.Close()
	header := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	sent := client.ProduceSync(ctx, &kgo.Record{
		Topic: topic, Key: []byte(sku), Value: value,
		// Optional to the fleet, which knows an adjustment by its id; they are what other readers recognise it by.
		Headers: []kgo.RecordHeader{
			header("ce_specversion", "1.0"), header("ce_source", "warehouse"), header("ce_id", id),
			header("ce_type", record), header("ce_time", now.Format(time.RFC3339Nano)),
			header("content-type", "application/vnd.confluent.avro"),
		},
	})
	done := must(sent.First())
	fmt.Printf("%s/%d at %d\n", done.Topic, done.Partition, done.Offset)
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
