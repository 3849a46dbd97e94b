/**
 * External Secrets Operator, built from its Go module, and its chart with CRDs: where a move from it and back is
 * tried (`make moving`). The newest version that the Go module proxy serves whole; later ones are many modules,
 * of which it has only the first. Providers that the move has no use for are left out, which saves most of the build.
 */
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureCached } from './cached.mjs';
import { esoDirectory } from './paths.mjs';
import { run } from './progress.mjs';

const MODULE = 'github.com/external-secrets/external-secrets';
const VERSION = 'v0.20.4';
/** What is built in, by the file that registers it. */
const REGISTERED = {
  'pkg/provider/register/register.go': ['provider/fake', 'provider/vault'],
  'pkg/generator/register/register.go': ['generator/fake', 'generator/password', 'generator/uuid'],
};

/** Files of the module cache may not be written. */
function makeWritable(directory) {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) makeWritable(path);
    else chmodSync(path, 0o644);
  }
}

/** As its release does it: each CRD becomes a template with the annotations of `crds.annotations`. */
function templateCrds(source, chart) {
  const templates = join(chart, 'templates', 'crds');
  mkdirSync(templates, { recursive: true });
  const documents = readFileSync(join(source, 'deploy', 'crds', 'bundle.yaml'), 'utf8').split(/^---$/m);
  for (const document of documents) {
    const name = /^ {2}name: (\S+)$/m.exec(document)?.[1];
    if (name === undefined) continue;
    const escaped = document.replaceAll('{{', '{{ "{{" }}');
    const annotated = escaped.replace(
      /^ {2}annotations:\n/m,
      '  annotations:\n{{- with .Values.crds.annotations }}\n{{ toYaml . | indent 4 }}\n{{- end }}\n',
    );
    writeFileSync(
      join(templates, `${name}.yaml`),
      `{{- if .Values.installCRDs }}\n${annotated.trim()}\n{{- end }}\n`,
    );
  }
  rmSync(join(templates, 'README.md'), { force: true });
}

/** Its one dependency is off by default, and would have to be downloaded. */
function withoutDependencies(chart) {
  const file = join(chart, 'Chart.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^dependencies:\n(?:[ -].*\n?)*/m, ''));
  rmSync(join(chart, 'Chart.lock'), { force: true });
}

export async function ensureEso() {
  await ensureCached(esoDirectory(), 'External Secrets Operator', async (directory) => {
    const answer = await run('go', ['mod', 'download', '-json', `${MODULE}@${VERSION}`], {
      title: `External Secrets Operator: fetching ${VERSION}`,
      cwd: directory,
      env: { GOFLAGS: '', GOWORK: 'off' },
    });
    const source = join(directory, 'source');
    cpSync(JSON.parse(answer).Dir, source, { recursive: true });
    makeWritable(source);
    for (const [file, names] of Object.entries(REGISTERED)) {
      const imports = names.map((name) => `import _ "${MODULE}/pkg/${name}"`);
      writeFileSync(join(source, file), `package register\n\n${imports.join('\n')}\n`);
    }
    await run(
      'go',
      ['build', '-trimpath', '-ldflags', '-s -w', '-o', join(directory, 'external-secrets'), '.'],
      {
        title: 'External Secrets Operator: building it (once, about 4 minutes on 2 cores)',
        cwd: source,
        env: { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
      },
    );
    const chart = join(directory, 'chart');
    cpSync(join(source, 'deploy', 'charts', 'external-secrets'), chart, { recursive: true });
    templateCrds(source, chart);
    withoutDependencies(chart);
    rmSync(source, { recursive: true });
  });
}
