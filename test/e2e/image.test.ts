/** The image: what is in it, that it is made the same again, and that its programs run from its unpacked root. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { type BuiltImage, buildImage, ENTRYPOINT } from '../../tools/image/build.ts';
import { IMAGE_USER, runnerOf } from '../../tools/image/compile-cache.ts';
import { ARCHITECTURES } from '../../tools/image/debian.ts';
import { sha256 } from '../../tools/image/layer.ts';
import type { Descriptor } from '../../tools/image/oci.ts';
import { packagePathOf } from '../../tools/image/packages.ts';
import type { Bom } from '../../tools/image/sbom.ts';
import { buildIdentity } from '../../tools/image.ts';
import { ROOT } from '../../tools/setup/paths.mjs';
import { UnavailableError } from '../../tools/setup/progress.mjs';
import { type Bed, startBed } from '../harness/bed.ts';
import { ImageRoot, needsMountNamespaces } from '../harness/image-root.ts';
import { inheritedEnvironment } from '../harness/process.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

const directory = temporaryDirectory('image');

let missing: string | false = false;
let built: BuiltImage | undefined;
try {
  built = await buildImage({ directory, ...buildIdentity() });
} catch (error) {
  if (!(error instanceof UnavailableError)) throw error;
  missing = error.message;
}

function image(): BuiltImage {
  assert.ok(built);
  return built;
}

function platform(architecture: string): BuiltImage['platforms'][number] {
  const found = image().platforms.find((one) => one.architecture === architecture);
  assert.ok(found);
  return found;
}

const readJson = <T>(...path: string[]): T => JSON.parse(readFileSync(join(...path), 'utf8')) as T;
const layout = join(directory, 'layout');
const blob = ({ digest }: Pick<Descriptor, 'digest'>): string =>
  join(layout, 'blobs', digest.replace(':', '/'));
const tarLines = (...args: string[]): string[] =>
  execFileSync('tar', args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
    .trim()
    .split('\n');

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

describe('the image', { skip: missing }, () => {
  test('is an OCI layout for both architectures, each blob with the digest and size that it is named by', () => {
    const [top, ...others] = readJson<{ manifests: Descriptor[] }>(layout, 'index.json').manifests;
    assert.deepEqual(others, []);
    assert.equal(top?.digest, image().digest);
    assert.equal(top.annotations?.['org.opencontainers.image.ref.name'], image().tag);
    const index = readJson<{ manifests: Descriptor[] }>(blob(top));
    assert.deepEqual(
      index.manifests.map((one) => one.platform),
      [
        { architecture: 'amd64', os: 'linux' },
        { architecture: 'arm64', os: 'linux', variant: 'v8' },
      ],
    );
    const named = [top, ...index.manifests];
    for (const descriptor of index.manifests) {
      const { config, layers } = readJson<Manifest>(blob(descriptor));
      named.push(config, ...layers);
      const { rootfs } = readJson<{ rootfs: { diff_ids: string[] } }>(blob(config));
      assert.deepEqual(
        rootfs.diff_ids,
        layers.map((layer) => sha256(execFileSync('gzip', ['-dc', blob(layer)], { maxBuffer: 2 ** 28 }))),
      );
    }
    for (const descriptor of named) {
      const content = readFileSync(blob(descriptor));
      assert.deepEqual([descriptor.digest, descriptor.size], [sha256(content), content.length]);
    }
    const stored = readdirSync(join(layout, 'blobs/sha256'));
    assert.deepEqual(stored.toSorted(), [...new Set(named.map(({ digest }) => digest.slice(7)))].toSorted());
  });

  test('comes as an archive, too, with the list that docker load reads', () => {
    const archive = join(directory, 'image.tar');
    const files = tarLines('-tf', archive).filter((name) => !name.endsWith('/'));
    const loaded = JSON.parse(tarLines('-xOf', archive, 'manifest.json').join('')) as {
      Config: string;
      RepoTags: string[];
      Layers: string[];
    }[];
    assert.equal(loaded.length, 2);
    for (const { Config, Layers } of loaded) {
      for (const path of [Config, ...Layers]) assert.ok(files.includes(path), path);
    }
    assert.ok(files.includes('oci-layout') && files.includes('index.json'));
  });

  test('is the same, bit for bit, when it is built again, as docs/image.md says', () => {
    const printed = execFileSync('make', ['image'], { cwd: ROOT, encoding: 'utf8' });
    assert.ok(printed.includes(`:${image().tag}@${image().digest}\n`), printed);
    const archives = [directory, join(ROOT, '.cache/image')].map((one) =>
      sha256(readFileSync(join(one, 'image.tar'))),
    );
    assert.equal(archives[0], archives[1]);
  });

  test('runs as nobody, names what it is, and has nothing beside the programs that could be run', () => {
    for (const { architecture, config, layers } of image().platforms) {
      const { config: container } = JSON.parse(config.content.toString()) as {
        config: { User: string; Entrypoint: string[]; Cmd?: string[]; Labels: Record<string, string> };
      };
      assert.equal(container.User, `${IMAGE_USER}:${IMAGE_USER}`);
      assert.deepEqual([container.Entrypoint, container.Cmd], [ENTRYPOINT, undefined]);
      assert.equal(container.Labels['org.opencontainers.image.version'], image().tag);
      assert.equal(container.Labels['org.opencontainers.image.licenses'], 'Apache-2.0');
      const lines = layers.flatMap(({ blob: one }) =>
        tarLines('--numeric-owner', '--full-time', '-tvzf', blob(one)),
      );
      for (const line of lines) {
        // A file or folder that only root may change, no setuid bit, no device; links have no mode of their own.
        assert.match(line, /^([-d]rw[-x]r-[-x]r-[-x]|lrwxrwxrwx) 0\/0 /);
      }
      const executable = lines
        .filter((line) => /^-..x/.test(line))
        .map((line) => line.split(' ').at(-1) ?? '');
      assert.deepEqual(
        executable.filter((path) => !/^usr\/lib\/[^/]+\/(ld-linux-[^/]+|lib[^/]+\.so[^/]*)$/.test(path)),
        ['nodejs/bin/node'],
        architecture,
      );
    }
  });

  test('has an SBOM that holds to CycloneDX and names the package of every module of the bundles', async () => {
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
    for (const { architecture, entries } of image().platforms) {
      const text = readFileSync(join(directory, `sbom-${architecture}.json`), 'utf8');
      assert.equal(await validator.validate(text), null);
      const inside = entries.get('sbom.json');
      assert.equal(inside?.type === 'file' ? inside.content.toString() : '', text);
      const { components } = JSON.parse(text) as Bom;
      const listed = new Set(components.map(({ name, version }) => `${name}@${version}`));
      const lock = readJson<{ packages: Record<string, { version: string }> }>('package-lock.json').packages;
      for (const module of Object.keys(image().metafile.inputs)) {
        const path = packagePathOf(module);
        if (path === undefined) continue;
        const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
        assert.ok(listed.has(`${name}@${lock[path]?.version}`), module);
      }
      assert.ok(components.some(({ name }) => name === 'libc6'));
      for (const { licenses, hashes, name } of components) assert.ok(licenses && hashes, name);
    }
  });
});

const canEnter = needsMountNamespaces();

describe('from the unpacked root, read-only and as the user of the image', {
  skip: missing || canEnter.skip,
}, () => {
  let bed: Bed;
  let root: ImageRoot;
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } => {
    const { command, args: all } = root.command(...args);
    return spawnSync(command, all, { encoding: 'utf8', env: inheritedEnvironment() });
  };

  before(async () => {
    const native = ARCHITECTURES.find((one) => runnerOf(one)?.native) ?? '';
    root = new ImageRoot(platform(native).entries, ENTRYPOINT);
    bed = await startBed({ product: { launch: root.launch } });
  });
  after(() => bed.stop());

  test('webhook and poller get ready, and a Secret is there when the create returns', async (t) => {
    const cluster = new Cluster(bed.cp);
    await bed.openBao.write('app', { password: 'from the image' });
    await prepare(cluster, bed.openBao, 'image');
    await cluster.create(externalSecret('image', 'app'));
    assert.deepEqual(await cluster.values('image', 'app'), { password: 'from the image' });
    await cluster.synced('image', 'app');
    for (const { name, pid, process } of [bed.product.webhook, bed.product.poller]) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      if (globalThis.process.getuid?.() === 0)
        assert.match(status, new RegExp(`^Uid:\t${IMAGE_USER}\t`, 'm'));
      assert.match(status, /^CapEff:\t0+$/m);
      t.diagnostic(`${name}: ready ${process.readyMs} ms after its start, RSS ${process.rssMiB()} MiB`);
      assert.ok(process.rssMiB() < 250);
    }
  });

  test('V8 takes the code that was compiled when the image was built', () => {
    const { command, args } = root.command('webhook', '--help');
    const { stderr, stdout } = spawnSync(command, args, {
      encoding: 'utf8',
      env: { ...inheritedEnvironment(), NODE_DEBUG_NATIVE: 'COMPILE_CACHE' },
      maxBuffer: 2 ** 26,
    });
    assert.match(stdout, /--materialise-in/);
    const accepted = stderr.match(/was accepted/g)?.length ?? 0;
    assert.ok(accepted >= 10, `${accepted} files were taken`);
    assert.doesNotMatch(stderr, /was rejected|no such file/);
  });

  test('esa runs, and whoever names no program is told which there are', () => {
    assert.match(run('esa', '--help').stdout, /lint/);
    const { status, stderr } = run('controller');
    assert.equal(status, 2);
    assert.match(stderr, /webhook, poller, esa/);
  });

  test('nothing of the root can be changed, and there is no shell', () => {
    const { command, args } = root.command();
    const at = args.lastIndexOf(ENTRYPOINT[0] ?? '');
    const write = "try { require('fs').writeFileSync('/tmp-file', '') } catch (e) { console.log(e.code) }";
    const inside = (...rest: string[]): string =>
      spawnSync(command, [...args.slice(0, at), ...rest], { encoding: 'utf8', env: inheritedEnvironment() })
        .stdout;
    assert.equal(inside('/nodejs/bin/node', '-e', write), 'EROFS\n');
    const shell = "console.log(require('child_process').spawnSync('/bin/sh').error.code)";
    assert.equal(inside('/nodejs/bin/node', '-e', shell), 'ENOENT\n');
  });
});

for (const architecture of ARCHITECTURES) {
  const runner = runnerOf(architecture);
  const skip =
    missing ||
    (runner === undefined ? `nothing here runs programs of ${architecture}; qemu-user-static would` : false);
  test(`the programs of ${architecture} load`, { skip }, () => {
    const { directory: root } = new ImageRoot(platform(architecture).entries, ENTRYPOINT);
    const [command = '', ...args] = [...(runner?.enter(root) ?? []), ...ENTRYPOINT];
    const env = { PATH: process.env['PATH'] };
    for (const program of ['webhook', 'poller', 'esa']) {
      const stdout = execFileSync(command, [...args, program, '--help'], { encoding: 'utf8', env });
      assert.match(stdout, /Usage: /);
    }
  });
}
