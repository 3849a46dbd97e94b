// Prints the goldens of api/go-hash.test.ts and api/duration.test.ts: what Go itself makes of a set of cases.
//
//	go run test/oracles/go-hash/main.go > api/go-values.golden.json
//
// Standard library only (Go 1.24 or newer, for crypto/sha3).
package main

import (
	"crypto/sha3"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// hash is the way External Secrets Operator hashes any object.
func hash(object any) string {
	return fmt.Sprintf("%x", sha3.Sum224([]byte(fmt.Sprintf("%+v", object))))
}

func manager(name string) string {
	const prefix = "externalsecrets.external-secrets.io/"
	if plain := prefix + name; len(plain) <= 63 {
		return plain
	}
	return fmt.Sprintf("%ssha3/%x", prefix, sha3.Sum224([]byte(name)))
}

type dataCase struct {
	Data map[string][]byte `json:"data"`
	Hash string            `json:"hash"`
}

type createdByCase struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Hash      string `json:"hash"`
}

type metaCase struct {
	Generation  int64             `json:"generation"`
	Annotations map[string]string `json:"annotations"`
	Labels      map[string]string `json:"labels"`
	Version     string            `json:"version"`
}

type managerCase struct {
	Name    string `json:"name"`
	Manager string `json:"manager"`
}

type parseCase struct {
	Text string `json:"text"`
	// Nanoseconds as text, since they do not fit into a JSON number; nil if Go refuses the text.
	Nanoseconds *string `json:"nanoseconds"`
}

type formatCase struct {
	Nanoseconds string `json:"nanoseconds"`
	Text        string `json:"text"`
}

func dataCases() []dataCase {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	cases := []dataCase{
		{Data: nil},
		{Data: map[string][]byte{}},
		{Data: map[string][]byte{"k1": []byte("ba"), "k2": {}}},
		{Data: map[string][]byte{"k": nil}},
		{Data: map[string][]byte{"b": []byte("2"), "a": []byte("1"), "B": []byte("3"), "a.b": []byte("4"), "a-b": []byte("5"), "a_b": []byte("6")}},
		{Data: map[string][]byte{"every": every}},
		{Data: map[string][]byte{"password": []byte("p\"ä€\n: {}")}},
		{Data: map[string][]byte{"10": []byte("x"), "9": []byte("y"), "__proto__": []byte("z")}},
		{Data: map[string][]byte{"\uffff": []byte("1"), "\U0001f511": []byte("2"), "é": []byte("3")}},
	}
	for i := range cases {
		cases[i].Hash = hash(cases[i].Data)
	}
	return cases
}

func createdByCases() []createdByCase {
	cases := []createdByCase{
		{Namespace: "default", Name: "example"},
		{Namespace: "datadog", Name: "datadog-secret"},
		{Namespace: "a", Name: "b.c-d"},
	}
	for i, c := range cases {
		cases[i].Hash = hash(fmt.Sprintf("%v/%v", c.Namespace, c.Name))
	}
	return cases
}

func metaCases() []metaCase {
	type meta struct {
		annotations map[string]string
		labels      map[string]string
	}
	cases := []metaCase{
		{Generation: 1},
		{Generation: 2, Annotations: map[string]string{}, Labels: map[string]string{}},
		{Generation: 3, Annotations: map[string]string{"a": "b"}},
		{Generation: 12345, Annotations: map[string]string{"z/y": "1", "a": ""}, Labels: map[string]string{"app": "x", "App": "y"}},
		{Generation: 4, Annotations: map[string]string{
			"kubectl.kubernetes.io/last-applied-configuration": "{\"apiVersion\":\"external-secrets.io/v1\",\"note\":\"ä €\"}\n",
		}, Labels: map[string]string{"app.kubernetes.io/name": "web"}},
	}
	for i, c := range cases {
		cases[i].Version = fmt.Sprintf("%d-%s", c.Generation, hash(meta{annotations: c.Annotations, labels: c.Labels}))
	}
	return cases
}

func managerCases() []managerCase {
	cases := []managerCase{
		{Name: "a"},
		{Name: "123456789-123456789-1234567"},
		{Name: "123456789-123456789-12345678"},
		{Name: "a-name-that-is-much-longer-than-what-the-limit-leaves-for-it.example.com"},
	}
	for i, c := range cases {
		cases[i].Manager = manager(c.Name)
	}
	return cases
}

func parseCases() []parseCase {
	texts := []string{
		"", "0", "+0", "-0", "00", "0s", "-0s", "1", "-1", "1h", "1h0m0s", "90s", "1h30m", "1.5s", ".5s", "1.s", ".s", ".",
		"-1.5h", "+5s", "+-5s", "--5s", "- 5s", " 5s", "5s ", "5 s", "5S", "1H", "1d", "1w", "1h30", "30", "1m1h", "1h1h",
		"1ns", "1us", "1µs", "1μs", "1ms", "0.1ns", "1.0000000001s", "0.3333333333333333333h", "9.007199254740993ms",
		"9223372036854775807ns", "9223372036854775808ns", "-9223372036854775808ns", "-9223372036854775809ns",
		"9223372036854775.807us", "2562047h47m16.854775807s", "2562047h47m16.854775808s", "-2562047h47m16.854775808s",
		"3000000h", "9999999999999999999999h", "1e3s", "0x10s", "1_000s", "١s", "1s\n", "inf", "1,5s", "1.5.5s", "s", "h", "0.0s",
		"0.9223372036854775808h", "0.100000000000000000000h", "39h9m14.425s", "876000h", "1m0.000000001s", "1h\u00a0",
	}
	cases := make([]parseCase, 0, len(texts))
	for _, text := range texts {
		c := parseCase{Text: text}
		if d, err := time.ParseDuration(text); err == nil {
			ns := fmt.Sprintf("%d", d.Nanoseconds())
			c.Nanoseconds = &ns
		}
		cases = append(cases, c)
	}
	return cases
}

func formatCases() []formatCase {
	values := []time.Duration{
		0, 1, 999, 1000, 1100, 999_999, 1_000_000, 1_500_000, 999_999_999, 1_000_000_000, 1_500_000_000, 10_000_000_000,
		59_999_999_999, 60_000_000_000, 90_000_000_000, 3_599_000_000_000, 3_600_000_000_000, 5_400_000_000_000,
		36_000_000_000_000, 2_000_000_000_000_000, -1, -1_500_000_000, -3_600_000_000_000, 3_600_000_000_001, 100 * time.Hour,
	}
	cases := make([]formatCase, 0, len(values))
	for _, value := range values {
		cases = append(cases, formatCase{Nanoseconds: fmt.Sprintf("%d", value.Nanoseconds()), Text: value.String()})
	}
	return cases
}

func main() {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(map[string]any{
		"data":      dataCases(),
		"createdBy": createdByCases(),
		"meta":      metaCases(),
		"managers":  managerCases(),
		"parse":     parseCases(),
		"format":    formatCases(),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
