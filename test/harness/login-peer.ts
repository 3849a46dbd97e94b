/**
 * Auth methods that OpenBao's build does not have, over the wire in front of a real one: ldap, aws and gcp logins are
 * checked here and answered with a token of OpenBao; everything else goes through to it.
 */
import { createHash, createHmac, verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { httpRequest, trusting } from './http.ts';
import type { OpenBao } from './openbao.ts';

export interface LoginPeerOptions {
  /** Policies of the tokens that logins get. */
  readonly policies: readonly string[];
  /** Passwords by user, for ldap. */
  readonly users: Readonly<Record<string, string>>;
  /** Secret keys by access key id, for aws. */
  readonly awsKeys: Readonly<Record<string, string>>;
  /** Public keys (PEM) by key id, for gcp. */
  readonly googleKeys: Readonly<Record<string, string>>;
}

export interface LoginPeer {
  readonly address: string;
  /** Names of those who logged in: user, access key id or service account. */
  readonly logins: readonly string[];
  stop(): Promise<void>;
}

type Body = Readonly<Record<string, unknown>>;

const text = (body: Body, name: string): string => (typeof body[name] === 'string' ? body[name] : '');
const decoded = (body: Body, name: string): string => Buffer.from(text(body, name), 'base64').toString();

/** AWS Signature Version 4 of a POST, computed anew; @returns the access key id, or why it is not right */
function checkIamLogin(body: Body, keys: LoginPeerOptions['awsKeys']): { who: string } | string {
  const headers = JSON.parse(decoded(body, 'iam_request_headers')) as Record<string, string>;
  const payload = decoded(body, 'iam_request_body');
  if (text(body, 'iam_http_request_method') !== 'POST') return 'method';
  if (payload !== 'Action=GetCallerIdentity&Version=2011-06-15') return 'body';
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/sts\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      headers['authorization'] ?? '',
    );
  if (match === null) return 'authorization';
  const [, id = '', day = '', region = '', names = '', signature = ''] = match;
  const url = new URL(decoded(body, 'iam_request_url'));
  if (url.host !== headers['host'] || !names.split(';').includes('host')) return 'host';
  if (headers['x-vault-aws-iam-server-id'] !== undefined && !names.includes('x-vault-aws-iam-server-id'))
    return 'server id';
  const sha = (data: string): string => createHash('sha256').update(data).digest('hex');
  const hmac = (key: string | Buffer, data: string): Buffer =>
    createHmac('sha256', key).update(data).digest();
  const lines = names.split(';').map((name) => `${name}:${headers[name] ?? ''}\n`);
  const canonical = ['POST', url.pathname, '', lines.join(''), names, sha(payload)].join('\n');
  const scope = `${day}/${region}/sts/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'] ?? '', scope, sha(canonical)].join('\n');
  const key = ['sts', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${keys[id] ?? ''}`, day), region));
  return hmac(key, toSign).toString('hex') === signature ? { who: id } : 'signature';
}

/** @returns the service account, or why the JWT is not right */
function checkGcpLogin(body: Body, keys: LoginPeerOptions['googleKeys']): { who: string } | string {
  const [head = '', claims = '', signature = ''] = text(body, 'jwt').split('.');
  const parse = (part: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  const key = keys[String(parse(head)['kid'])];
  if (key === undefined) return 'unknown key';
  const signed = Buffer.from(`${head}.${claims}`);
  if (!verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url'))) return 'signature';
  const { sub, aud, exp } = parse(claims);
  if (aud !== `vault/${text(body, 'role')}`) return 'audience';
  const left = Number(exp) - Date.now() / 1000;
  return left > 0 && left <= 900 ? { who: String(sub) } : 'life';
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export async function startLoginPeer(openBao: OpenBao, options: LoginPeerOptions): Promise<LoginPeer> {
  const logins: string[] = [];
  const dispatcher = trusting(openBao.ca);
  /** Who logs in with this request; why nobody does; undefined if it is no login of ours. */
  const judge = (path: string, body: string): { who: string } | string | undefined => {
    const ldap = /^\/v1\/auth\/ldap\/login\/([^/]+)$/.exec(path)?.[1];
    if (ldap !== undefined) {
      const who = decodeURIComponent(ldap);
      const { password } = JSON.parse(body) as Body;
      return options.users[who] !== undefined && options.users[who] === password
        ? { who }
        : 'ldap operation failed';
    }
    if (path === '/v1/auth/aws/login') return checkIamLogin(JSON.parse(body) as Body, options.awsKeys);
    if (path === '/v1/auth/gcp/login') return checkGcpLogin(JSON.parse(body) as Body, options.googleKeys);
    return undefined;
  };
  const answer = async (request: IncomingMessage): Promise<{ status: number; body: unknown }> => {
    const { method = '', url = '', headers } = request;
    const body = await bodyOf(request);
    const judged = judge(url, body);
    if (typeof judged === 'string') return { status: 400, body: { errors: [judged] } };
    if (judged !== undefined) {
      logins.push(judged.who);
      return openBao.request('POST', 'auth/token/create', { policies: options.policies, ttl: '1h' });
    }
    const kept = Object.entries(headers).filter(([name]) => name.startsWith('x-vault-'));
    return httpRequest(method, `${openBao.address}${url}`, {
      dispatcher,
      headers: { 'content-type': 'application/json', ...Object.fromEntries(kept as [string, string][]) },
      ...(body === '' ? {} : { body }),
    });
  };
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body === undefined ? undefined : JSON.stringify(body));
      },
      (error: unknown) => response.writeHead(500).end(JSON.stringify({ errors: [String(error)] })),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    logins,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await dispatcher.close();
    },
  };
}
