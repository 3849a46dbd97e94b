module external-secrets-admission/go-password

go 1.24

require github.com/sethvargo/go-password v0.3.1
