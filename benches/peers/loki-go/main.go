// Sends the lines of a log file to Loki by loki-client-go with its default settings: protobuf and snappy, pushes of
// 1 MiB.
//
//	loki-go URL FILE NAME=VALUE…
//
// The names and values are the labels of all lines.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/grafana/loki-client-go/loki"
	"github.com/prometheus/common/model"
)

const timestampStart = len(`{"timestamp":"`)

func send(url, path string, labels model.LabelSet) error {
	client, err := loki.NewWithDefault(url + "/loki/api/v1/push")
	if err != nil {
		return err
	}
	defer client.Stop()
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		text, _, _ := strings.Cut(line[timestampStart:], `"`)
		moment, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return err
		}
		if err := client.Handle(labels, moment, line); err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: loki-go URL FILE NAME=VALUE…")
		os.Exit(2)
	}
	labels := model.LabelSet{}
	for _, pair := range os.Args[3:] {
		name, value, _ := strings.Cut(pair, "=")
		labels[model.LabelName(name)] = model.LabelValue(value)
	}
	if err := send(os.Args[1], os.Args[2], labels); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
