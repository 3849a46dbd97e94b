// Prints what sethvargo/go-password says to the wishes that External Secrets Operator can pass to it, as the
// expectation for providers/generators/password.ts:
//
//	go run . > ../../../providers/generators/testdata/password.golden.json
//
// The password itself is random; what is compared is the error, or how many characters of each class there are.
package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sethvargo/go-password/password"
)

type wish struct {
	Length           int    `json:"length"`
	Digits           int    `json:"digits"`
	Symbols          int    `json:"symbols"`
	SymbolCharacters string `json:"symbolCharacters"`
	NoUpper          bool   `json:"noUpper"`
	AllowRepeat      bool   `json:"allowRepeat"`
}

type result struct {
	Wish    wish   `json:"wish"`
	Error   string `json:"error,omitempty"`
	Letters int    `json:"letters"`
	Digits  int    `json:"digits"`
	Symbols int    `json:"symbols"`
}

func main() {
	for index, one := range wishes() {
		line, err := json.Marshal(ask(one))
		if err != nil {
			panic(err)
		}
		start := ","
		if index == 0 {
			start = "["
		}
		fmt.Printf("%s\n%s", start, line)
	}
	fmt.Println("\n]")
}

func ask(one wish) result {
	generator, err := password.NewGenerator(&password.GeneratorInput{Symbols: one.SymbolCharacters})
	if err != nil {
		panic(err)
	}
	text, err := generator.Generate(one.Length, one.Digits, one.Symbols, one.NoUpper, one.AllowRepeat)
	if err != nil {
		return result{Wish: one, Error: err.Error()}
	}
	found := result{Wish: one}
	for _, character := range text {
		switch {
		case strings.ContainsRune(password.LowerLetters+password.UpperLetters, character):
			found.Letters++
		case strings.ContainsRune(password.Digits, character):
			found.Digits++
		default:
			found.Symbols++
		}
	}
	return found
}

func wishes() []wish {
	var all []wish
	for _, symbols := range []string{"", "-_", "!"} {
		for _, repeat := range []bool{false, true} {
			for _, noUpper := range []bool{false, true} {
				for _, numbers := range [][3]int{
					{24, 6, 6}, {32, 5, 5}, {1, 0, 0}, {1, 1, 0}, {1, 0, 1}, {4, 1, 1}, {10, 10, 0}, {11, 11, 0}, {8, 5, 4},
					{26, 0, 0}, {27, 0, 0}, {52, 0, 0}, {53, 0, 0}, {2, 0, 2}, {3, 0, 3}, {31, 0, 31}, {32, 0, 32},
					{63, 10, 1}, {94, 10, 32}, {94, 10, 31}, {200, 50, 50},
				} {
					all = append(all, wish{numbers[0], numbers[1], numbers[2], symbols, noUpper, repeat})
				}
			}
		}
	}
	return all
}
