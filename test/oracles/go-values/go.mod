module external-secrets-admission/go-values

go 1.24
