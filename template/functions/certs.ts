/** Sprig's certificates and keys. All of it is slow: keys are generated, certificates signed. */
import type { KeyObject } from 'node:crypto';
import { sprint } from '../fmt.ts';
import { type Call, type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { GoObject, GoSlice, type GoType, type GoValue, T } from '../value.ts';
import { intAt, stringAt, textToText } from './arguments.ts';
import { decodeBase64 } from './base64.ts';
import { buildCertificate, type Signer } from './certificate-build.ts';
import { LIST } from './declare.ts';
import { parseIp } from './ip.ts';
import { decodePem, pemOf } from './pem-blocks.ts';
import { generatePrivateKeyPem, generateRsa, parsePrivateKeyPem, privateKeyPem } from './private-key.ts';
import { parseCertificate } from './x509.ts';

/** What the functions return and take: a certificate and its key in PEM. */
const PAIR: GoType = { kind: 'struct', name: 'sprig.certificate' };

const pairObject = (cert: string, key: string): GoObject =>
  new GoObject({
    type: PAIR,
    fields: new Map([
      ['Cert', cert],
      ['Key', key],
    ]),
  });

/** Runs `compute` and puts `prefix` before the error that it gives. */
function explained<R>(prefix: string, compute: () => R): R {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`${prefix}: ${error.message}`, `${prefix}: ${error.goText}`);
  }
}

const MS_PER_DAY = 86_400_000;

/** The texts of a list; sprig takes nil for an empty one. */
function textsOf(value: GoValue | undefined, refuse: (item: GoValue) => GoError): string[] {
  if (!(value instanceof GoSlice)) return [];
  return value.items.map((item) => {
    if (typeof item !== 'string') throw refuse(item);
    return item;
  });
}

function addressesOf(value: GoValue | undefined): string[] {
  const texts = textsOf(
    value,
    (item) =>
      new GoError(
        'error parsing ip: [redacted] is not a string',
        `error parsing ip: ${sprint([item])} is not a string`,
      ),
  );
  return texts.map((text) => {
    const address = parseIp(text);
    if (address === undefined) throw new GoError('error parsing ip: [redacted]', `error parsing ip: ${text}`);
    return address;
  });
}

const dnsNamesOf = (value: GoValue | undefined): string[] =>
  textsOf(
    value,
    (item) =>
      new GoError(
        'error processing alternate dns name: [redacted] is not a string',
        `error processing alternate dns name: ${sprint([item])} is not a string`,
      ),
  );

/** What the names and days among the arguments say. */
interface Terms {
  readonly commonName: string;
  readonly addresses: readonly string[];
  readonly dnsNames: readonly string[];
  readonly days: number;
  readonly isAuthority: boolean;
}

function issue(terms: Terms, key: KeyObject, signer: Signer, call: Call): GoObject {
  const now = call.clock.now();
  const { days, ...said } = terms;
  const request = { ...said, notBefore: now, notAfter: now + days * MS_PER_DAY };
  if (key.asymmetricKeyType === 'dsa' || signer.key.asymmetricKeyType === 'dsa') {
    throw new GoError(
      'error creating certificate: x509: certificate private key does not implement crypto.Signer',
    );
  }
  return pairObject(pemOf('CERTIFICATE', buildCertificate(request, key, signer)), privateKeyPem(key));
}

const authorityTerms = (args: readonly GoValue[]): Terms => ({
  commonName: stringAt(args, 0),
  addresses: [],
  dnsNames: [],
  days: intAt(args, 1),
  isAuthority: true,
});

const serverTerms = (args: readonly GoValue[]): Terms => ({
  commonName: stringAt(args, 0),
  addresses: addressesOf(args[1]),
  dnsNames: dnsNamesOf(args[2]),
  days: intAt(args, 3),
  isAuthority: false,
});

const newKey = (): KeyObject => generateRsa(2048);

const keyAt = (args: readonly GoValue[], index: number): KeyObject =>
  explained('parsing private key', () => parsePrivateKeyPem(stringAt(args, index)));

/** The authority that a template passes on from genCA or buildCustomCert. */
function signerAt(args: readonly GoValue[], index: number): Signer {
  const pair = args[index];
  if (!(pair instanceof GoObject)) throw new TypeError(`argument ${index} was declared a certificate`);
  const text = (field: string): string => {
    const value = pair.fields.get(field);
    return typeof value === 'string' ? value : '';
  };
  const found = decodePem(text('Cert'));
  if (found === undefined) throw new GoError('unable to decode certificate');
  const certificate = explained('error parsing certificate: decodedSignerCert.Bytes', () =>
    parseCertificate(found.block.bytes),
  );
  return { certificate, key: explained('error parsing private key', () => parsePrivateKeyPem(text('Key'))) };
}

/** A certificate that its own key signs, for the terms among the arguments. */
const selfSigned =
  (
    terms: (args: readonly GoValue[]) => Terms,
    key: (args: readonly GoValue[]) => KeyObject,
  ): GoFunction['call'] =>
  (args, call) => {
    const own = key(args);
    return issue(terms(args), own, { key: own }, call);
  };

const signed =
  (key: (args: readonly GoValue[]) => KeyObject): GoFunction['call'] =>
  (args, call) => {
    const own = key(args);
    const signer = signerAt(args, 4);
    return issue(serverTerms(args), own, signer, call);
  };

function decoded(text: string, what: string): string {
  const result = decodeBase64(text);
  if ('error' in result) throw new GoError(`unable to decode base64 ${what}`);
  return result.bytes;
}

/** A pair of one's own: checked to be readable, not to belong together. */
const buildCustomCert: GoFunction['call'] = (args) => {
  const cert = decoded(stringAt(args, 0), 'certificate');
  const key = decoded(stringAt(args, 1), 'private key');
  const found = decodePem(cert);
  if (found === undefined) throw new GoError('unable to decode certificate');
  explained('error parsing certificate: decodedCert.Bytes', () => parseCertificate(found.block.bytes));
  explained('error parsing private key', () => parsePrivateKeyPem(key));
  return pairObject(cert, key);
};

const slow = (params: readonly GoType[], call: GoFunction['call']): GoFunction => ({
  params,
  result: PAIR,
  slow: true,
  call: (args, budget) => {
    budget.spend(STEPS_A_CERTIFICATE);
    return call(args, budget);
  },
});

/** A key takes tens of milliseconds: a template has few of them. */
const STEPS_A_CERTIFICATE = 20_000;

const AUTHORITY = [T.string, T.int];
const SERVER = [T.string, LIST, LIST, T.int];

export const CERTS: FunctionMap = new Map<string, GoFunction>([
  [
    'genPrivateKey',
    {
      ...textToText((kind, call) => {
        call.spend(STEPS_A_CERTIFICATE);
        return generatePrivateKeyPem(kind);
      }),
      slow: true,
    },
  ],
  ['buildCustomCert', slow([T.string, T.string], buildCustomCert)],
  ['genCA', slow(AUTHORITY, selfSigned(authorityTerms, newKey))],
  [
    'genCAWithKey',
    slow(
      [...AUTHORITY, T.string],
      selfSigned(authorityTerms, (args) => keyAt(args, 2)),
    ),
  ],
  ['genSelfSignedCert', slow(SERVER, selfSigned(serverTerms, newKey))],
  [
    'genSelfSignedCertWithKey',
    slow(
      [...SERVER, T.string],
      selfSigned(serverTerms, (args) => keyAt(args, 4)),
    ),
  ],
  ['genSignedCert', slow([...SERVER, PAIR], signed(newKey))],
  [
    'genSignedCertWithKey',
    slow(
      [...SERVER, PAIR, T.string],
      signed((args) => keyAt(args, 5)),
    ),
  ],
]);
