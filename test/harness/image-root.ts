/**
 * Starts the programs of an image from its unpacked root, as a container engine does: in it, as the user that the
 * image names, and with nothing there that could be written to.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { IMAGE_USER } from '../../tools/image/compile-cache.ts';
import type { Entries } from '../../tools/image/layer.ts';
import { writeEntries } from '../../tools/image/unpack.ts';
import type { Launch, ProductOptions } from './product.ts';
import { temporaryDirectory } from './run-directory.ts';

const USER = String(IMAGE_USER);
/** What an engine puts into every container. */
const FROM_THE_HOST = ['/etc/hosts', '/etc/resolv.conf'];

// $1 is the root, $2 a file to be seen at its own path; then the command. The read-only remount comes last.
// The tests' own cache of compiled code is no part of the image.
const MOUNTS = `set -e
unset NODE_COMPILE_CACHE
root=$1 file=$2; shift 2
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
for one in ${FROM_THE_HOST.join(' ')}; do mount --bind "$one" "$root$one"; done
if [ -n "$file" ]; then mount --bind "$root.files$file" "$root$file"; fi
mount -o remount,bind,ro,nosuid,nodev "$root"`;

/** Without root's rights in a user namespace, and then in a second one to lose what may be done in the first. */
const MAPPED = ['--user', `--map-user=${USER}`, `--map-group=${USER}`];
const isRoot = (): boolean => process.getuid?.() === 0;
const namespaces = (): string[] => (isRoot() ? ['--mount'] : [...MAPPED, '--keep-caps', '--mount']);

/** @param file absolute path of a file that the command reads, empty for none */
function enter(root: string, file: string, command: readonly string[]): Launch {
  const last = isRoot()
    ? `exec chroot --userspec=${USER}:${USER} "$root"`
    : `exec unshare ${MAPPED.join(' ')} --root="$root" --wd=/`;
  const script = `${MOUNTS}\n${last} "$@"`;
  return { command: 'unshare', args: [...namespaces(), 'sh', '-c', script, 'sh', root, file, ...command] };
}

export class ImageRoot {
  /** Everything of the image is below. */
  readonly directory: string;
  readonly #entrypoint: readonly string[];

  constructor(entries: Entries, entrypoint: readonly string[]) {
    this.directory = join(temporaryDirectory('image'), 'root');
    this.#entrypoint = entrypoint;
    mkdirSync(this.directory);
    writeEntries(this.directory, entries);
    for (const path of FROM_THE_HOST) this.#mountPoint(path);
  }

  #mountPoint(path: string): void {
    mkdirSync(join(this.directory, dirname(path)), { recursive: true });
    writeFileSync(join(this.directory, path), '');
  }

  /** The entry point with these arguments. */
  command(...args: string[]): Launch {
    return enter(this.directory, '', [...this.#entrypoint, ...args]);
  }

  /** For ProductOptions; the kubeconfig is there at the path that the flags say. */
  readonly launch: NonNullable<ProductOptions['launch']> = (program, flags) => {
    const kubeconfig = flags[flags.indexOf('--kubeconfig') + 1] ?? '';
    const copy = join(`${this.directory}.files`, kubeconfig);
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(kubeconfig, copy);
    // The user in the image is another one.
    chmodSync(copy, 0o644);
    this.#mountPoint(kubeconfig);
    return enter(this.directory, kubeconfig, [...this.#entrypoint, program, ...flags]);
  };
}

/** Options of a test that starts programs from an unpacked root; where the machine does not allow it, it is skipped. */
export function needsMountNamespaces(): { readonly skip: false | string } {
  try {
    execFileSync('unshare', [...namespaces(), 'mount', '--bind', '/tmp', '/tmp'], { stdio: 'pipe' });
    return { skip: false };
  } catch (error) {
    const why = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? '') : '';
    return { skip: `no mount namespace of one's own can be had here (${why})` };
  }
}
