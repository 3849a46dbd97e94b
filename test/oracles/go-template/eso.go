package main

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"strings"
	"text/template"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"sigs.k8s.io/yaml"
	"software.sslmate.com/src/go-pkcs12"
)

// esoFuncs holds the functions that External Secrets Operator adds to sprig's, over the libraries that it uses.
func esoFuncs() template.FuncMap {
	return template.FuncMap{
		"pkcs12key":      func(p12 string) (string, error) { return keyOfStore("", p12) },
		"pkcs12keyPass":  keyOfStore,
		"pkcs12cert":     func(p12 string) (string, error) { return certsOfStore("", p12) },
		"pkcs12certPass": certsOfStore,
		"pemToPkcs12": func(cert, key string) (string, error) {
			return storeOf(cert, key, "", false)
		},
		"pemToPkcs12Pass": func(cert, key, password string) (string, error) {
			return storeOf(cert, key, password, false)
		},
		"fullPemToPkcs12": func(chain, key string) (string, error) {
			return storeOf(chain, key, "", true)
		},
		"fullPemToPkcs12Pass": func(chain, key, password string) (string, error) {
			return storeOf(chain, key, password, true)
		},
		"pemTruststoreToPKCS12":     func(certs string) (string, error) { return trustStoreOf(certs, "") },
		"pemTruststoreToPKCS12Pass": trustStoreOf,
		"filterPEM":                 filterPEM,
		"filterCertChain":           filterCertChain,
		"certSANs":                  certSANs,
		"jwkPublicKeyPem": func(text string) (string, error) {
			return keyOfJWK(text, "PUBLIC KEY", x509.MarshalPKIXPublicKey)
		},
		"jwkPrivateKeyPem": func(text string) (string, error) {
			return keyOfJWK(text, "PRIVATE KEY", x509.MarshalPKCS8PrivateKey)
		},
		"toYaml":     toYAML,
		"fromYaml":   fromYAML,
		"rsaDecrypt": rsaDecrypt,
		"hexdec":     hexDecode,
	}
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func keyOfStore(password, p12 string) (string, error) {
	key, _, _, err := pkcs12.DecodeChain([]byte(p12), password)
	if err != nil {
		return "", fmt.Errorf("unable to decode pkcs12 with password: %s", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return block("PRIVATE KEY", der), nil
}

func certsOfStore(password, p12 string) (string, error) {
	_, leaf, authorities, err := pkcs12.DecodeChain([]byte(p12), password)
	if err != nil {
		return "", fmt.Errorf("unable to decode pkcs12 certificate with password: %s", err)
	}
	all := append([]*x509.Certificate{leaf}, authorities...)
	if ordered, err := orderChain(all); err == nil {
		all = ordered
	}
	return pemOf(all), nil
}

func pemOf(certs []*x509.Certificate) string {
	var out strings.Builder
	for _, cert := range certs {
		out.WriteString(block("CERTIFICATE", cert.Raw))
	}
	return out.String()
}

func privateKeyOf(der []byte) (any, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("unable to parse private key type")
}

// storeOf dereferences nil for input without PEM, as the operator does: the error is that of a nil pointer.
func storeOf(chain, key, password string, full bool) (string, error) {
	first, rest := pem.Decode([]byte(chain))
	leaf, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		return "", err
	}
	var authorities []*x509.Certificate
	if full {
		if authorities, err = strictCerts(string(rest)); err != nil {
			return "", err
		}
	}
	keyBlock, _ := pem.Decode([]byte(key))
	private, err := privateKeyOf(keyBlock.Bytes)
	if err != nil {
		return "", err
	}
	store, err := pkcs12.Modern.Encode(private, leaf, authorities, password)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(store), nil
}

func trustStoreOf(certs, password string) (string, error) {
	trusted, err := strictCerts(certs)
	if err != nil {
		return "", err
	}
	store, err := pkcs12.Modern.EncodeTrustStore(trusted, password)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(store), nil
}

// strictCerts wants PEM to the last byte; what is none is a nil dereference.
func strictCerts(text string) ([]*x509.Certificate, error) {
	certs := []*x509.Certificate{}
	for rest := []byte(text); len(rest) > 0; {
		var found *pem.Block
		found, rest = pem.Decode(rest)
		cert, err := x509.ParseCertificate(found.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// fromFirstBlock drops what stands before the first PEM block.
func fromFirstBlock(text string) []byte {
	if at := strings.Index(text, "-----BEGIN"); at > 0 {
		text = text[at:]
	}
	return []byte(text)
}

func filterPEM(kind, text string) (string, error) {
	var out strings.Builder
	rest := fromFirstBlock(text)
	for {
		var found *pem.Block
		if found, rest = pem.Decode(rest); found == nil {
			break
		}
		if strings.EqualFold(found.Type, kind) {
			if err := pem.Encode(&out, found); err != nil {
				return "", err
			}
		}
	}
	if out.Len() == 0 && len(rest) > 0 {
		return "", errors.New("error filtering pem: found junk")
	}
	return out.String(), nil
}

func isRoot(cert *x509.Certificate) bool {
	return cert.AuthorityKeyId == nil || bytes.Equal(cert.AuthorityKeyId, cert.SubjectKeyId)
}

func filterCertChain(which, text string) (string, error) {
	var certs []*x509.Certificate
	for rest := []byte(text); ; {
		var found *pem.Block
		if found, rest = pem.Decode(rest); found == nil {
			break
		}
		cert, err := x509.ParseCertificate(found.Bytes)
		if err != nil {
			return "", err
		}
		certs = append(certs, cert)
	}
	chain, err := orderChain(certs)
	if err != nil {
		return "", err
	}
	leaf, last := chain[0], chain[len(chain)-1]
	switch {
	case which == "leaf" && !isRoot(leaf):
		return pemOf(chain[:1]), nil
	case which == "root" && isRoot(last):
		return pemOf(chain[len(chain)-1:]), nil
	case which == "intermediate":
		end := 1
		for end < len(chain) && !isRoot(chain[end]) {
			end++
		}
		return pemOf(chain[1:end]), nil
	}
	return "", nil
}

// orderChain sorts leaf first by authority and subject key identifiers. Equal includes absent on both sides.
func orderChain(certs []*x509.Certificate) ([]*x509.Certificate, error) {
	parent := make([]int, len(certs))
	hasChild := make([]bool, len(certs))
	for i := range certs {
		parent[i] = -1
		for j := range certs {
			if i != j && bytes.Equal(certs[i].AuthorityKeyId, certs[j].SubjectKeyId) {
				parent[i], hasChild[j] = j, true
				break
			}
		}
	}
	leaf := -1
	for i := range certs {
		if hasChild[i] {
			continue
		}
		if leaf >= 0 {
			return nil, errors.New("found multiple leaf or disjunct certificates")
		}
		leaf = i
	}
	if leaf < 0 {
		return nil, errors.New("no leaf certificate found")
	}
	var chain []*x509.Certificate
	for at := leaf; at >= 0; at = parent[at] {
		if len(chain) == len(certs) {
			return nil, errors.New("constructing chain resulted in cycle")
		}
		chain = append(chain, certs[at])
	}
	return chain, nil
}

func certSANs(text string) ([]string, error) {
	found, _ := pem.Decode(fromFirstBlock(text))
	if found == nil {
		return nil, errors.New("failed to decode PEM block")
	}
	cert, err := x509.ParseCertificate(found.Bytes)
	if err != nil {
		return nil, fmt.Errorf("failed to parse certificate: %w", err)
	}
	names := append([]string{}, cert.DNSNames...)
	for _, address := range cert.IPAddresses {
		names = append(names, address.String())
	}
	names = append(names, cert.EmailAddresses...)
	for _, uri := range cert.URIs {
		names = append(names, uri.String())
	}
	return names, nil
}

func keyOfJWK(text, kind string, marshal func(any) ([]byte, error)) (string, error) {
	parsed, err := jwk.ParseKey([]byte(text))
	if err != nil {
		return "", err
	}
	var key any
	if err := parsed.Raw(&key); err != nil {
		return "", err
	}
	der, err := marshal(key)
	if err != nil {
		return "", err
	}
	return block(kind, der), nil
}

func toYAML(value any) string {
	out, err := yaml.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(out), "\n")
}

func fromYAML(text string) map[string]any {
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		out["Error"] = err.Error()
	}
	return out
}

func rsaDecrypt(scheme, hashName, ciphertext, keyPEM string) (string, error) {
	if scheme == "None" {
		return ciphertext, nil
	}
	if scheme != "RSA-OAEP" {
		return "", fmt.Errorf("decryption scheme %v is not supported", scheme)
	}
	found, _ := pem.Decode([]byte(keyPEM))
	if found == nil {
		return "", errors.New("failed to decode PEM block")
	}
	parsed, err := privateKeyOf(found.Bytes)
	if err != nil {
		return "", fmt.Errorf("could not parse private key: %v", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return "", errors.New("could not parse RSA private key")
	}
	var digest hash.Hash
	switch hashName {
	case "SHA1":
		digest = sha1.New()
	case "SHA512":
		digest = sha512.New()
	default:
		digest = sha256.New()
	}
	plain, err := rsa.DecryptOAEP(digest, nil, key, []byte(ciphertext), nil)
	if err != nil {
		return "", fmt.Errorf("error decrypting data with RSA: %v", err)
	}
	return string(plain), nil
}

// hexDecode gives the error's text as the value, as b64dec does.
func hexDecode(text string) string {
	out, err := hex.DecodeString(text)
	if err != nil {
		return err.Error()
	}
	return string(out)
}
