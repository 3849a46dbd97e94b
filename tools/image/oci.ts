/** Puts images of several architectures into one OCI image layout (image-spec 1.1), and that into an archive. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './debian.ts';
import { type Blob, blobOf, createTar, type Entry, type Layer } from './layer.ts';

/** What a container engine is to start with: the `config` of image-spec. */
export interface ContainerConfig {
  readonly User: string;
  readonly WorkingDir: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly ExposedPorts: Readonly<Record<string, Record<string, never>>>;
  readonly StopSignal: string;
  readonly Labels: Readonly<Record<string, string>>;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string; readonly os: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface PlatformImage {
  readonly architecture: Architecture;
  readonly layers: readonly Layer[];
  readonly config: Blob;
  readonly manifest: Blob;
}

const INDEX = 'application/vnd.oci.image.index.v1+json';
const VARIANTS: Readonly<Partial<Record<Architecture, string>>> = { arm64: 'v8' };

const jsonBlob = (mediaType: string, value: unknown): Blob =>
  blobOf(mediaType, Buffer.from(JSON.stringify(value)));

const descriptorOf = ({ mediaType, digest, content }: Blob): Descriptor => ({
  mediaType,
  digest,
  size: content.length,
});

const platformOf = (architecture: Architecture): NonNullable<Descriptor['platform']> => {
  const variant = VARIANTS[architecture];
  return { architecture, os: 'linux', ...(variant === undefined ? {} : { variant }) };
};

/** @param epoch seconds */
export function createPlatformImage(spec: {
  readonly architecture: Architecture;
  readonly layers: readonly Layer[];
  readonly config: ContainerConfig;
  readonly annotations: Readonly<Record<string, string>>;
  readonly epoch: number;
}): PlatformImage {
  const { architecture, layers, annotations } = spec;
  const created = new Date(spec.epoch * 1000).toISOString();
  const config = jsonBlob('application/vnd.oci.image.config.v1+json', {
    created,
    ...platformOf(architecture),
    config: spec.config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ title }) => ({ created, created_by: title })),
  });
  const manifest = jsonBlob('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptorOf(config),
    layers: layers.map(({ blob }) => descriptorOf(blob)),
    annotations,
  });
  return { architecture, layers, config, manifest };
}

const blobPath = ({ digest }: { readonly digest: string }): string => `blobs/${digest.replace(':', '/')}`;

/** Every file of the layout, by path; `manifest.json` is for `docker load` of old, one image an architecture. */
function layoutFiles(
  images: readonly PlatformImage[],
  names: { readonly repository: string; readonly tag: string },
  annotations: Readonly<Record<string, string>>,
): { readonly index: Blob; readonly files: Map<string, Buffer> } {
  const index = jsonBlob(INDEX, {
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: images.map(({ architecture, manifest }) => ({
      ...descriptorOf(manifest),
      platform: platformOf(architecture),
    })),
    annotations,
  });
  const blobs = images.flatMap(({ layers, config, manifest }) => [
    ...layers.map(({ blob }) => blob),
    config,
    manifest,
  ]);
  const files = new Map([index, ...blobs].map((blob) => [blobPath(blob), blob.content]));
  const reference = {
    'io.containerd.image.name': `${names.repository}:${names.tag}`,
    'org.opencontainers.image.ref.name': names.tag,
  };
  files.set('oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
  files.set(
    'index.json',
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: INDEX,
        manifests: [{ ...descriptorOf(index), annotations: reference }],
      }),
    ),
  );
  files.set(
    'manifest.json',
    Buffer.from(
      JSON.stringify(
        images.map(({ architecture, layers, config }) => ({
          Config: blobPath(config),
          RepoTags: [`${names.repository}:${names.tag}-${architecture}`],
          Layers: layers.map(({ blob }) => blobPath(blob)),
        })),
      ),
    ),
  );
  return { index, files };
}

/**
 * Writes `layout/` and `image.tar`, the same once more as an archive, anew.
 * @param epoch seconds
 * @returns digest of the index over all architectures, which a registry shows for the tag
 */
export async function writeImage(
  directory: string,
  images: readonly PlatformImage[],
  names: { readonly repository: string; readonly tag: string },
  annotations: Readonly<Record<string, string>>,
  epoch: number,
): Promise<string> {
  const { index, files } = layoutFiles(images, names, annotations);
  const layout = join(directory, 'layout');
  rmSync(layout, { recursive: true, force: true });
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  for (const [path, content] of files) writeFileSync(join(layout, path), content);
  const entries = [...files].map(([path, content]): [string, Entry] => [path, { type: 'file', content }]);
  writeFileSync(join(directory, 'image.tar'), await createTar(new Map(entries), epoch));
  return index.digest;
}
