// SPDX-License-Identifier: Apache-2.0

// A TLS client and server of Go's own TLS, for tests of what lies between them.
//
//	gotls serve -address IP:PORT -cert FILE -key FILE [-roots FILE]
//	gotls call  -address IP:PORT -name NAME -roots FILE [-cert FILE -key FILE] [-max 1.2]
//	            [-alpn istio,h2] [-line WORDS] [-twice] [-bytes N]
//
// The server answers a line with what it knows of the connection, as JSON, and ends it; before that
// it gives back the bytes that a client sends behind a line "bytes N". The client verifies chain
// and name, prints what the server says, and with -twice resumes its session in a second call.
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

type settings struct {
	address, name, cert, key, roots, max, alpn, line string
	twice                                            bool
	bytes                                            int64
}

// What one end knows of a connection.
type seen struct {
	Version, Suite, Group, Name, Protocol, Peer string
	Resumed, Retried                            bool
}

func describe(state tls.ConnectionState) seen {
	known := seen{
		Version:  tls.VersionName(state.Version),
		Suite:    tls.CipherSuiteName(state.CipherSuite),
		Group:    state.CurveID.String(),
		Name:     state.ServerName,
		Protocol: state.NegotiatedProtocol,
		Resumed:  state.DidResume,
		Retried:  state.HelloRetryRequest,
	}
	if len(state.PeerCertificates) > 0 {
		known.Peer = state.PeerCertificates[0].Subject.CommonName
	}
	return known
}

func (s *settings) config() (*tls.Config, error) {
	config := &tls.Config{ServerName: s.name, NextProtos: strings.Split(s.alpn, ",")}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if s.roots != "" {
		text, err := os.ReadFile(s.roots)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(text)
		config.ClientCAs = config.RootCAs
	}
	if s.max == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	return config, nil
}

func serve(s *settings) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	if s.roots != "" {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	listener, err := tls.Listen("tcp", s.address, config)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go answer(connection.(*tls.Conn))
	}
}

func answer(connection *tls.Conn) {
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		if count, found := strings.CutPrefix(strings.TrimSpace(line), "bytes "); found {
			size, _ := strconv.ParseInt(count, 10, 64)
			if _, err = io.CopyN(connection, reader, size); err != nil {
				return
			}
			continue
		}
		json.NewEncoder(connection).Encode(describe(connection.ConnectionState()))
		return
	}
}

// One connection: what the server says of it, after `bytes` of random data went there and back.
func call(s *settings, config *tls.Config) (string, error) {
	connection, err := tls.Dial("tcp", s.address, config)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	reader := bufio.NewReader(connection)
	if err = exchange(connection, reader, s.bytes); err != nil {
		return "", err
	}
	fmt.Fprintln(connection, s.line)
	return reader.ReadString('\n')
}

func exchange(connection net.Conn, reader io.Reader, size int64) error {
	if size == 0 {
		return nil
	}
	data := make([]byte, size)
	rand.Read(data)
	go func() {
		fmt.Fprintln(connection, "bytes", size)
		io.Copy(connection, bytes.NewReader(data))
	}()
	back := make([]byte, size)
	if _, err := io.ReadFull(reader, back); err != nil {
		return err
	}
	if sha256.Sum256(back) != sha256.Sum256(data) {
		return fmt.Errorf("other bytes came back")
	}
	return nil
}

func calls(s *settings) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	rounds := 1
	if s.twice {
		rounds = 2
	}
	for range rounds {
		said, err := call(s, config)
		if err != nil {
			return err
		}
		fmt.Print(said)
	}
	return nil
}

func run() error {
	if len(os.Args) < 2 {
		return fmt.Errorf("serve or call?")
	}
	var s settings
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&s.address, "address", "", "IP:PORT")
	flags.StringVar(&s.name, "name", "", "server name")
	flags.StringVar(&s.cert, "cert", "", "certificate chain")
	flags.StringVar(&s.key, "key", "", "private key")
	flags.StringVar(&s.roots, "roots", "", "trusted roots")
	flags.StringVar(&s.max, "max", "", "1.2: nothing newer")
	flags.StringVar(&s.alpn, "alpn", "istio", "protocols")
	flags.StringVar(&s.line, "line", "who", "what a client says")
	flags.BoolVar(&s.twice, "twice", false, "call again and resume the session")
	flags.Int64Var(&s.bytes, "bytes", 0, "bytes to send there and back")
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	if os.Args[1] == "serve" {
		return serve(&s)
	}
	return calls(&s)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gotls:", err)
		os.Exit(1)
	}
}
