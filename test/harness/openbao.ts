/**
 * A real OpenBao (speaks Vault's API) in dev mode on a free port of 127.0.0.1: KV v2 at `secret/`, data
 * in memory. Up in less than a second.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from 'undici';
import { selfSigned } from '../../providers/testing/self-signed.ts';
import { openBaoBinary } from '../../tools/setup/paths.mjs';
import { type HttpAnswer, httpRequest, trusting } from './http.ts';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess } from './process.ts';
import { temporaryDirectory } from './run-directory.ts';

export interface OpenBaoOptions {
  /** HTTPS with a CA of its own making; see OpenBao.ca and OpenBao.caFile. */
  readonly tls?: boolean;
  /** Writes an audit log for auditLines() and auditCounts(). */
  readonly audit?: boolean;
  /** PEM of a CA: a second listener, OpenBao.mutualAddress, asks for a client certificate of it. Only with `tls`. */
  readonly clientCa?: string;
}

/** One line of the audit log, as far as tests look at it; values in it are HMACs. */
export interface OpenBaoAuditLine {
  readonly type: 'request' | 'response';
  readonly time: string;
  readonly request: {
    readonly id: string;
    readonly operation: string;
    readonly path: string;
    readonly remote_address?: string;
    readonly remote_port?: number;
  };
  readonly auth?: { readonly display_name?: string };
  readonly error?: string;
}

export interface OpenBao {
  readonly address: string;
  /** Where a client certificate is asked for; with `clientCa` only. */
  readonly mutualAddress: string;
  /** PEM of the CA of that listener. */
  readonly mutualCa: string;
  /** The root token. */
  readonly token: string;
  /** PEM, with `tls` only. Another one after each start(). */
  readonly ca: string | undefined;
  /** Path of that PEM, with `tls` only. */
  readonly caFile: string | undefined;
  readonly pid: number;
  readonly process: RunningProcess;
  /** A request with the root token; `path` comes after /v1/, e.g. `secret/data/app`. */
  request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<HttpAnswer<T>>;
  /** Writes a secret of the KV v2 engine at `secret/`. @throws Error unless it was written */
  write(path: string, data: Readonly<Record<string, unknown>>): Promise<void>;
  auditLines(): readonly OpenBaoAuditLine[];
  /** How many requests were answered, by `operation path`, e.g. `read secret/data/app`. */
  auditCounts(): Readonly<Record<string, number>>;
  seal(): Promise<void>;
  unseal(): Promise<void>;
  /** SIGSTOP: connections are accepted by the kernel and never answered. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
  /** Starts it again on the same port. Its data is gone: write it again. */
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const TOKEN = 'root';

class LocalOpenBao implements OpenBao {
  readonly token = TOKEN;
  mutualCa = '';
  readonly #options: OpenBaoOptions;
  readonly #port: number;
  readonly #mutualPort: number;
  readonly #directory = temporaryDirectory('openbao');
  readonly #auditLog = join(this.#directory, 'audit.log');
  #agent: Agent | undefined;
  #process: RunningProcess | undefined;

  constructor(options: OpenBaoOptions, port: number, mutualPort: number) {
    this.#options = options;
    this.#port = port;
    this.#mutualPort = mutualPort;
  }

  get mutualAddress(): string {
    return `https://127.0.0.1:${this.#mutualPort}`;
  }

  get address(): string {
    return `${this.#options.tls === true ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  get caFile(): string | undefined {
    return this.#options.tls === true ? join(this.#directory, 'vault-ca.pem') : undefined;
  }

  get ca(): string | undefined {
    return this.caFile === undefined ? undefined : readFileSync(this.caFile, 'utf8');
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error('OpenBao was never started');
    return this.#process;
  }

  get pid(): number {
    return this.process.pid;
  }

  async start(): Promise<void> {
    const configuration = join(this.#directory, 'audit.hcl');
    // Audit devices cannot be enabled over the API of a dev server, only by its configuration.
    writeFileSync(configuration, this.#configuration());
    await this.#agent?.destroy();
    this.#agent = undefined;
    this.#process = await startProcess({
      name: 'openbao',
      command: openBaoBinary(),
      directory: this.#directory,
      args: [
        'server',
        ...(this.#options.tls === true ? ['-dev-tls', `-dev-tls-cert-dir=${this.#directory}`] : ['-dev']),
        `-dev-root-token-id=${TOKEN}`,
        `-dev-listen-address=127.0.0.1:${this.#port}`,
        '-dev-no-store-token',
        '-log-level=warn',
        ...(this.#options.audit === true || this.#options.clientCa !== undefined
          ? [`-config=${configuration}`]
          : []),
      ],
      ready: async () => {
        // It may be there and not be written yet.
        if (this.caFile !== undefined && !(existsSync(this.caFile) && this.ca?.includes('END CERTIFICATE')))
          return false;
        this.#agent ??= trusting(this.ca);
        return (await this.request('GET', 'sys/health')).status === 200;
      },
    });
  }

  #configuration(): string {
    const { audit, clientCa } = this.#options;
    const log = `audit "file" "log" {\n  options { file_path = "${this.#auditLog}" }\n}\n`;
    if (clientCa === undefined) return log;
    const file = (name: string): string => join(this.#directory, name);
    writeFileSync(file('client-ca.pem'), clientCa);
    const server = selfSigned('127.0.0.1');
    writeFileSync(file('mutual.pem'), server.cert);
    writeFileSync(file('mutual-key.pem'), server.key);
    this.mutualCa = server.cert;
    const lines = [
      `address = "127.0.0.1:${this.#mutualPort}"`,
      `tls_cert_file = "${file('mutual.pem')}"`,
      `tls_key_file = "${file('mutual-key.pem')}"`,
      `tls_client_ca_file = "${file('client-ca.pem')}"`,
      'tls_require_and_verify_client_cert = true',
    ];
    return `${audit === true ? log : ''}listener "tcp" {\n  ${lines.join('\n  ')}\n}\n`;
  }

  request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer<T>> {
    return httpRequest<T>(method, `${this.address}/v1/${path}`, {
      ...(this.#agent === undefined ? {} : { dispatcher: this.#agent }),
      headers: { 'x-vault-token': TOKEN, 'x-vault-request': 'true', ...headers },
      body,
    });
  }

  async write(path: string, data: Readonly<Record<string, unknown>>): Promise<void> {
    const { status, body } = await this.request('PUT', `secret/data/${path}`, { data });
    if (status !== 200)
      throw new Error(`OpenBao refused secret/data/${path}: ${status} ${JSON.stringify(body)}`);
  }

  auditLines(): readonly OpenBaoAuditLine[] {
    if (this.#options.audit !== true)
      throw new Error('start OpenBao with {audit: true} to see its audit log');
    const lines = readFileSync(this.#auditLog, 'utf8').split('\n');
    return lines.slice(0, -1).map((line) => JSON.parse(line) as OpenBaoAuditLine);
  }

  auditCounts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { type, request } of this.auditLines()) {
      if (type !== 'response') continue;
      const key = `${request.operation} ${request.path}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  }

  async seal(): Promise<void> {
    const { status } = await this.request('PUT', 'sys/seal');
    if (status !== 204) throw new Error(`OpenBao was not sealed: ${status}`);
  }

  async unseal(): Promise<void> {
    // A dev server prints its only unseal key at each start; the last one counts.
    const key = [...readFileSync(this.process.log, 'utf8').matchAll(/Unseal Key: (\S+)/g)].at(-1)?.[1];
    const { status, body } = await this.request<{ sealed?: boolean }>('PUT', 'sys/unseal', { key });
    if (status !== 200 || body.sealed !== false) throw new Error(`OpenBao was not unsealed: ${status}`);
  }

  pause(): void {
    this.process.signal('SIGSTOP');
  }

  resume(): void {
    this.process.signal('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.#agent?.destroy();
    await this.#process?.stop({ graceMs: 3000 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** @throws Error with the end of its log if it does not come up */
export async function startOpenBao(options: OpenBaoOptions = {}): Promise<OpenBao> {
  const openBao = new LocalOpenBao(options, await freePort(), await freePort());
  await openBao.start();
  return openBao;
}
