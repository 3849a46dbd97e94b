// Prints the golden of template/unicode.test.ts: digests of what Go's package unicode says of every code point.
//
//	go run test/oracles/go-unicode/main.go > template/unicode.golden.json
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"unicode"
)

func main() {
	classes := map[string]func(rune) bool{
		"isPrint": unicode.IsPrint, "isLetter": unicode.IsLetter, "isDigit": unicode.IsDigit,
		"isNumber": unicode.IsNumber, "isUpper": unicode.IsUpper, "isLower": unicode.IsLower,
		"isTitle": unicode.IsTitle, "isSpace": unicode.IsSpace, "isPunct": unicode.IsPunct,
	}
	mappings := map[string]func(rune) rune{
		"toUpper": unicode.ToUpper, "toLower": unicode.ToLower, "toTitle": unicode.ToTitle,
	}
	golden := map[string]string{}
	for name, class := range classes {
		digest := sha256.New()
		for r := rune(0); r <= unicode.MaxRune; r++ {
			if class(r) {
				digest.Write([]byte{'1'})
			} else {
				digest.Write([]byte{'0'})
			}
		}
		golden[name] = hex.EncodeToString(digest.Sum(nil))
	}
	for name, mapping := range mappings {
		digest := sha256.New()
		for r := rune(0); r <= unicode.MaxRune; r++ {
			if to := mapping(r); to != r {
				digest.Write([]byte(strconv.Itoa(int(r)) + ">" + strconv.Itoa(int(to)) + "\n"))
			}
		}
		golden[name] = hex.EncodeToString(digest.Sum(nil))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(golden); err != nil {
		panic(err)
	}
}
