/** The bill of materials of one image: CycloneDX 1.6 as JSON. */
import { hash } from 'node:crypto';
import type { Metafile } from 'esbuild';
import { type Architecture, debianPackages, debianRelease, licenceOf as licenceOfDebian } from './debian.ts';
import { nodePackage } from './node-binary.ts';
import { bundledPackages } from './packages.ts';

interface Component {
  readonly type: 'application' | 'library' | 'platform' | 'operating-system';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly { readonly expression: string }[];
  readonly hashes?: readonly { readonly alg: 'SHA-256' | 'SHA-512'; readonly content: string }[];
  readonly purl?: string;
}

export interface Bom {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly serialNumber: string;
  readonly version: 1;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** A scope's `@` is escaped, its slash is not: github.com/package-url/purl-spec, type npm. */
const npmUrl = (name: string, version: string): string =>
  `pkg:npm/${name.replace('@', '%40')}@${encodeURIComponent(version)}`;

const sha512 = (integrity: string): NonNullable<Component['hashes']> => [
  { alg: 'SHA-512', content: Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex') },
];

const component = (
  type: Component['type'],
  purl: string,
  rest: Omit<Component, 'type' | 'bom-ref'>,
): Component => ({
  type,
  'bom-ref': purl,
  ...rest,
  purl,
});

/** An identifier that is the same for the same content. */
function serialNumber(content: string): string {
  const digits = hash('sha256', content).slice(0, 32).split('');
  // Version 8, variant 1: RFC 9562, section 5.8.
  digits[12] = '8';
  digits[16] = '8';
  return `urn:uuid:${digits.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
}

/** @param epoch seconds */
export function createBom(spec: {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly architecture: Architecture;
  readonly metafile: Metafile;
  readonly epoch: number;
}): Bom {
  const { architecture } = spec;
  const node = nodePackage(architecture);
  const components = [
    component('platform', npmUrl(node.name, node.version), {
      name: node.name,
      version: node.version,
      licenses: [{ expression: 'MIT' }],
      hashes: sha512(node.integrity),
    }),
    ...debianPackages(architecture).map((one) => {
      const { name, version, sha256 } = one;
      const distro = `debian-${debianRelease()}`;
      const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${one.architecture}&distro=${distro}`;
      return component('library', purl, {
        name,
        version,
        licenses: [{ expression: licenceOfDebian(one) }],
        hashes: [{ alg: 'SHA-256', content: sha256 }],
      });
    }),
    ...bundledPackages(spec.metafile).map(({ name, version, licence, integrity }) =>
      component('library', npmUrl(name, version), {
        name,
        version,
        licenses: [{ expression: licence }],
        hashes: sha512(integrity),
      }),
    ),
  ];
  const unique = [...new Map(components.map((one) => [one['bom-ref'], one])).values()].toSorted((a, b) =>
    a['bom-ref'] < b['bom-ref'] ? -1 : 1,
  );
  const main: Component = {
    type: 'application',
    'bom-ref': `${spec.name}@${spec.version}`,
    name: spec.name,
    version: spec.version,
    licenses: [{ expression: spec.licence }],
  };
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialNumber(JSON.stringify([spec.epoch, main, unique])),
    version: 1,
    metadata: { timestamp: new Date(spec.epoch * 1000).toISOString(), component: main },
    components: unique,
    dependencies: [{ ref: main['bom-ref'], dependsOn: unique.map((one) => one['bom-ref']) }],
  };
}
