/**
 * Logging in by a program that the kubeconfig names (`aws eks get-token`, `gke-gcloud-auth-plugin`, `kubelogin` ...), as
 * kubectl does: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins.
 * client-node's own way does not tell the plugin of its protocol version nor of the cluster, which some need.
 */
import { spawn } from 'node:child_process';
import { EsaError } from '../../api/errors.ts';
import { isJsonObject } from '../../api/json.ts';
import type { ExecPlugin, Login } from '../../kube/config.ts';

/** Nobody's answer is larger. */
const MAX_ANSWER = 1024 * 1024;

/** @returns runs the plugin @throws EsaError CONFIGURATION that never holds what the plugin printed */
export const execLogin =
  (plugin: ExecPlugin): (() => Promise<Login>) =>
  async () =>
    parse(plugin, await answerOf(plugin));

const failed = ({ where, command }: ExecPlugin, what: string): EsaError =>
  new EsaError('CONFIGURATION', `${where}: the login plugin ${command} ${what}`);

function answerOf(plugin: ExecPlugin): Promise<string> {
  const { apiVersion, command, args, env, cluster, interactiveMode, installHint } = plugin;
  const interactive = interactiveMode !== 'Never' && Boolean(process.stdin.isTTY);
  if (interactiveMode === 'Always' && !interactive)
    throw failed(plugin, 'has to ask you something, and standard input is no terminal');
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive, cluster } };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
      // What it has to say to the user it says itself.
      stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.length > MAX_ANSWER) child.kill();
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      const hint = installHint === undefined ? '' : `. ${installHint.trim()}`;
      const why = error.code === 'ENOENT' ? 'is not installed' : `cannot be started (${error.code})`;
      reject(failed(plugin, `${why}${hint}`));
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve(text);
      else reject(failed(plugin, `ended with ${code === null ? signal : `exit code ${code}`}`));
    });
  });
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function parse(plugin: ExecPlugin, answer: string): Login {
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    throw failed(plugin, 'printed something that is not JSON');
  }
  const { apiVersion, status } = isJsonObject(value) ? value : {};
  if (apiVersion !== plugin.apiVersion)
    throw failed(plugin, `speaks another version than ${plugin.apiVersion}, which the kubeconfig asks for`);
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = isJsonObject(status)
    ? status
    : {};
  const cert = textOf(clientCertificateData);
  const key = textOf(clientKeyData);
  if (textOf(token) === undefined && (cert === undefined || key === undefined))
    throw failed(plugin, 'gave neither a token nor a certificate with its key');
  const expires = Date.parse(textOf(expirationTimestamp) ?? '');
  return {
    token: textOf(token),
    clientCertificate: cert === undefined || key === undefined ? undefined : { cert, key },
    expiresAt: Number.isNaN(expires) ? undefined : expires,
  };
}
