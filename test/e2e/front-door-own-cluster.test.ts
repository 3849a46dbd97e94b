/** demo and dev on a cluster of the user's own, as docs/operating.md says: here a second control plane, reached by a kubeconfig's context. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { runDemo, runScript, startDev } from './support/dev.ts';

const CONTEXT = ['--context', 'own'];
const KINDS = [
  'namespaces',
  'customresourcedefinitions',
  'clusterroles',
  'clusterrolebindings',
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
].join(',');

// At the end namespaces are removed, which takes a controller.
describe('--context NAME', needsGarbageCollection(), () => {
  let cp: ControlPlane;
  let env: NodeJS.ProcessEnv;
  /** Every object that does not lie in a namespace. */
  const objects = async (): Promise<string[]> =>
    (await cp.kubectlOutput(['get', KINDS, '-o', 'name'])).trim().split('\n').toSorted();
  let untouched: string[];

  before(async () => {
    cp = await startControlPlane();
    const kubeconfig = join(temporaryDirectory('user'), 'config');
    writeFileSync(kubeconfig, readFileSync(cp.kubeconfig, 'utf8').replaceAll('"admin"', '"own"'));
    env = { ...process.env, KUBECONFIG: kubeconfig };
    untouched = await objects();
  });
  after(() => cp.stop());

  test('nobody agreed: what would be applied is shown, and nothing is', async () => {
    const { code, output } = await runDemo(CONTEXT, env);
    assert.equal(code, 1);
    assert.match(output, /^ {2}namespace\/external-secrets-system created \(server dry run\)$/m);
    assert.match(output, /^ {2}clusterrole\S+poller created \(server dry run\)$/m);
    assert.match(output, /^ {2}rolebinding\S+webhook created \(server dry run\), in namespace external-sec/m);
    assert.match(output, /^ {2}validatingwebhookconfiguration\S+ created \(server dry run\)$/m);
    const crds = output.match(/^ {2}customresourcedefinition\S+ created \(server dry run\)$/gm);
    assert.equal(crds?.length, readdirSync('deploy/crds').filter((name) => name.endsWith('.yaml')).length);
    assert.match(output, /^Nothing was changed\. There is no terminal to ask at: agree with --yes/m);
    assert.deepEqual(await objects(), untouched);
  });

  test('a no at the terminal', async () => {
    const terminal = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)';
    const command = [process.execPath, 'tools/demo.ts', '--once', ...CONTEXT];
    const child = spawn('python3', ['-c', terminal, ...command], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (text.includes('[y/N]')) child.stdin.write('n\n');
    });
    const [code] = (await once(child, 'close')) as [number];
    assert.match(output, /Apply this to own \(https:\S+\)\? \[y\/N\] [\s\S]*Nothing was changed\./);
    assert.equal(code, 1);
    assert.deepEqual(await objects(), untouched);
  });

  test('an unknown context, and flags that need one', async () => {
    const unknown = await runDemo(['--context', 'other'], env);
    assert.equal(unknown.code, 1);
    assert.match(unknown.output, /--context other: [^\n]*\nThe kubeconfig has these contexts: own\n/);
    const alone = await runScript(['tools/dev.ts', '--yes'], env);
    assert.deepEqual([alone.code, /add --context/.test(alone.output)], [1, true]);
  });

  test('the tour holds there, and leaves nothing behind', async () => {
    const { code, output } = await runDemo([...CONTEXT, '--yes'], env);
    assert.equal(code, 0, output);
    assert.match(output, /^9 steps held, 0 failed$/m);
    assert.match(output, /^removed$/m);
    assert.deepEqual(await objects(), untouched);
  });

  test('a webhook out of reach: says so and what to do, and leaves nothing behind', async () => {
    const { code, output } = await runDemo([...CONTEXT, '--yes', '--webhook-host', 'nowhere.invalid'], env);
    assert.equal(code, 1);
    assert.match(output, /^The API server gets no answer from the webhook/m);
    assert.match(output, /^It was told to connect to nowhere\.invalid:\d+ /m);
    assert.match(output, /--webhook-host ADDRESS/);
    assert.doesNotMatch(output, /\/validate\/|\/convert\//, 'the token of the path');
    assert.deepEqual(await objects(), untouched);
  });

  test('make dev: a CRD that was there stays as it is, Ctrl-C removes the rest', async () => {
    const name = 'externalsecrets.external-secrets.io';
    const manifest = readFileSync('deploy/crds/externalsecrets.yaml', 'utf8').replace(
      /^ {2}conversion:\n(?: {4}.*\n)+/m,
      '',
    );
    await cp.kubectlOutput(['apply', '-f', '-'], { stdin: manifest });
    await cp.kubectlOutput(['wait', '--for=condition=Established', `crd/${name}`]);
    const version = (): Promise<string> =>
      cp.kubectlOutput(['get', 'crd', name, '-o', 'jsonpath={.metadata.uid} {.metadata.resourceVersion}']);
    const there = await version();

    const dev = await startDev({ args: [...CONTEXT, '--yes'], env });
    assert.match(dev.output(), new RegExp(`${name} is there and stays as it is`));
    const namespace = 'external-secrets-admission-demo';
    const { code, stdout, stderr } = await dev.shell(
      `kubectl get ns ${namespace} && kubectl apply -f ${dirname(dev.envFile)}/examples/fake && kubectl -n ${namespace} get secret -o name`,
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^secret\/database-credentials$/m);
    dev.child.kill('SIGINT');
    await once(dev.child, 'exit');
    assert.equal(await version(), there);
    assert.deepEqual(
      await objects(),
      [...untouched, `customresourcedefinition.apiextensions.k8s.io/${name}`].toSorted(),
    );
    await cp.kubectlOutput(['delete', 'crd', name]);
  });

  test('an installation that is there is not touched', async () => {
    await cp.kubectlOutput(['create', 'namespace', 'external-secrets-system']);
    const { code, output } = await runDemo([...CONTEXT, '--yes'], env);
    assert.equal(code, 1);
    assert.match(
      output,
      /has objects that this would take over[^\n]*\n {2}Namespace external-secrets-system\n/,
    );
    await cp.kubectlOutput(['delete', 'namespace', 'external-secrets-system']);
    assert.deepEqual(await objects(), untouched);
  });
});
