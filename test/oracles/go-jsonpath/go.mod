module external-secrets-admission/go-jsonpath

go 1.24

require github.com/PaesslerAG/jsonpath v0.1.1

require github.com/PaesslerAG/gval v1.0.0 // indirect
