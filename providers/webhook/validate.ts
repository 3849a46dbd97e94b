/** Rules on a webhook block that its schema cannot say, without I/O. */
import { parseGoDuration } from '../../api/duration.ts';
import { EsaError } from '../../api/errors.ts';
import { collector, type Problem, type Report } from '../../api/problem.ts';
import { toUtf8 } from '../../template/value.ts';
import { type BlockReference, caReference, checkCaBundle, checkReferences } from '../block-references.ts';
import type { StoreContext } from '../contract.ts';
import { serverUrl } from '../server-url.ts';
import type { WebhookConfig } from './config.ts';
import { compileJsonPath, JsonPathError } from './jsonpath.ts';
import { authorityText, parseText, REMOTE_REF, templatesOf } from './templates.ts';

/** Every reference that the block makes. */
export function referencesOf({ secrets = [], caBundle, caProvider }: WebhookConfig): BlockReference[] {
  return [
    ...secrets.map(
      ({ secretRef }, index): BlockReference => ({
        kind: 'Secret',
        path: ['secrets', index, 'secretRef'],
        reference: { name: secretRef.name, namespace: secretRef.namespace },
        wholeObject: true,
      }),
    ),
    ...caReference({ caBundle, caProvider }),
  ];
}

/** The server that is asked, where no template says it. */
export function fixedServer({ url }: Pick<WebhookConfig, 'url'>): URL | undefined {
  const found = authorityText(url);
  if (found === undefined || found.authority.includes('{{')) return undefined;
  const server = serverUrl(`${found.scheme}://${found.authority}`);
  return typeof server === 'string' ? undefined : server;
}

function checkUrl({ url }: WebhookConfig, report: Report): void {
  const found = authorityText(url);
  if (found === undefined) {
    report('webhook-url', ['url'], 'must start with https:// or http://; templates may follow');
    return;
  }
  const { scheme, authority } = found;
  if (!authority.includes('{{')) {
    const server = serverUrl(`${scheme}://${authority}`);
    if (typeof server === 'string') report('webhook-url', ['url'], server);
    return;
  }
  try {
    const { reads, whole } = parseText(authority).fields();
    if (whole || reads.some(({ key }) => key === REMOTE_REF))
      report(
        'webhook-url-host',
        ['url'],
        'the host must not depend on remoteRef: whoever writes an ExternalSecret would choose who is sent the Secrets of the store',
      );
  } catch {
    report('webhook-url', ['url'], 'the host must be a template by itself');
  }
}

const MAX_SHOWN = 300;

function checkTemplates(config: WebhookConfig, report: Report): void {
  const known = new Set([REMOTE_REF, ...(config.secrets ?? []).map(({ name }) => name)]);
  for (const { path, text } of templatesOf(config)) {
    try {
      const template = parseText(text);
      if (template.slow)
        report(
          'webhook-template',
          path,
          'a template of a request calls no function that makes keys or hashes',
        );
      const [problem] = template.callProblems();
      if (problem !== undefined) report('webhook-template', path, problem.message.slice(0, MAX_SHOWN));
      for (const { key, how, certain } of template.fields().reads) {
        const name = toUtf8(key);
        if (how !== 'field' || !certain || known.has(name)) continue;
        const there = [...known].map((one) => `.${one}`).join(', ');
        report('webhook-template', path, `there is no .${name.slice(0, 63)}; there is ${there}`);
        break;
      }
    } catch (error) {
      if (!(error instanceof EsaError)) throw error;
      report('webhook-template', path, error.message.slice(0, MAX_SHOWN));
    }
  }
}

/** Headers that belong to the connection. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'expect',
  'keep-alive',
]);

function checkRequest(config: WebhookConfig, report: Report): void {
  const { method, headers = {}, timeout, result, auth } = config;
  if (method !== undefined && !/^[A-Z]{1,20}$/.test(method))
    report('webhook-method', ['method'], 'must be a method of HTTP in capital letters, such as GET or POST');
  if (method === 'CONNECT' || method === 'TRACE')
    report('webhook-method', ['method'], `${method} fetches no secret`);
  for (const name of Object.keys(headers)) {
    if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name))
      report('webhook-header', ['headers', name], 'must be the name of an HTTP header');
    else if (OWN_HEADERS.has(name.toLowerCase()))
      report('webhook-header', ['headers', name], 'this header belongs to the connection and cannot be set');
  }
  const milliseconds = timeout === undefined ? 1 : parseGoDuration(timeout);
  if (milliseconds === undefined || milliseconds <= 0)
    report('webhook-timeout', ['timeout'], 'must be a duration longer than nothing, such as 5s');
  if (auth?.ntlm !== undefined)
    report(
      'webhook-ntlm',
      ['auth', 'ntlm'],
      'NTLM is not supported; use a header with a token or Basic credentials',
    );
  const jsonPath = result?.jsonPath;
  if (jsonPath !== undefined && jsonPath !== '' && !jsonPath.includes('{{')) {
    try {
      compileJsonPath(jsonPath);
    } catch (error) {
      if (!(error instanceof JsonPathError)) throw error;
      report('webhook-json-path', ['result', 'jsonPath'], error.message);
    }
  }
}

function checkSecrets({ secrets = [] }: WebhookConfig, report: Report): void {
  const seen = new Set([REMOTE_REF]);
  for (const [index, { name }] of secrets.entries()) {
    const path = ['secrets', index, 'name'];
    if (name === '') report('webhook-secret-name', path, 'set the name that templates know it by');
    else if (seen.has(name)) report('webhook-secret-name', path, `.${name.slice(0, 63)} is taken`);
    seen.add(name);
  }
}

/** Everything that is wrong with the block; paths are relative to it. */
export function validateWebhookConfig(
  config: WebhookConfig,
  store: Pick<StoreContext, 'kind' | 'namespace'>,
): Problem[] {
  const { report, problems } = collector();
  checkUrl(config, report);
  checkRequest(config, report);
  checkTemplates(config, report);
  checkSecrets(config, report);
  checkCaBundle(config, [], report);
  checkReferences(referencesOf(config), store, report);
  return problems;
}
