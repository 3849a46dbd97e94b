/**
 * One sweep as External Secrets Operator does it with its default flags (../eso-baseline: one worker; per object a
 * new connection, a token of a ServiceAccount and a login with it, one read a key, lookup-self, revoke-self; two GETs and a LIST of Secrets, one status
 * write). It is a process of its own, so that its CPU can be told from the bench's. Prints one JSON line.
 */
import { readFileSync } from 'node:fs';
import { Agent, Client, request } from 'undici';

interface Task {
  readonly server: string;
  readonly ca: string;
  readonly token: string;
  readonly vault: string;
  readonly role: string;
  readonly audience: string;
  readonly properties: readonly string[];
  readonly objects: readonly { readonly namespace: string; readonly name: string; readonly key: string }[];
}

const task = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Task;
const api = new Agent({ connections: 4, connect: { ca: task.ca } });
let kubeRequests = 0;

async function kube<T>(method: 'GET' | 'PATCH' | 'POST', path: string, body?: unknown): Promise<T> {
  kubeRequests += 1;
  const answer = await request(task.server + path, {
    method,
    dispatcher: api,
    headers: {
      authorization: `Bearer ${task.token}`,
      ...(body === undefined
        ? {}
        : { 'content-type': method === 'POST' ? 'application/json' : 'application/merge-patch+json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
  return JSON.parse(text) as T;
}

async function reconcile({ namespace, name, key }: Task['objects'][number]): Promise<void> {
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const vault = new Client(task.vault);
  const ask = async <T>(method: 'GET' | 'POST', path: string, token: string, body?: unknown): Promise<T> => {
    const answer = await vault.request({
      method,
      path: `/v1/${path}`,
      headers: { 'x-vault-token': token },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  await kube('GET', `${secrets}/${name}`);
  const { role, audience } = task;
  const issued = await kube<{ status: { token: string } }>(
    'POST',
    `/api/v1/namespaces/default/serviceaccounts/${role}/token`,
    { spec: { audiences: [audience], expirationSeconds: 600 } },
  );
  const login = await ask<{ auth: { client_token: string } }>('POST', 'auth/kubernetes/login', '', {
    role,
    jwt: issued.status.token,
  });
  const token = login.auth.client_token;
  for (const _ of task.properties) await ask('GET', `secret/data/${key}`, token);
  await ask('GET', 'auth/token/lookup-self', token);
  await ask('POST', 'auth/token/revoke-self', token);
  await kube('GET', `${secrets}/${name}`);
  await kube('GET', `${secrets}?labelSelector=reconcile.external-secrets.io%2Fmanaged%3Dtrue`);
  await kube('PATCH', `/apis/external-secrets.io/v1/namespaces/${namespace}/externalsecrets/${name}/status`, {
    status: { refreshTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z') },
  });
  await vault.close();
}

const began = performance.now();
const before = process.cpuUsage();
for (const object of task.objects) await reconcile(object);
const { user, system } = process.cpuUsage(before);
process.stdout.write(
  `${JSON.stringify({ wallMs: performance.now() - began, cpuMs: (user + system) / 1000, kubeRequests })}\n`,
);
await api.close();
