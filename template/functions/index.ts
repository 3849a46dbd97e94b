/** Every function that a template of an ExternalSecret can call, besides the built-ins of Go, which the engine adds. */
import type { FunctionMap, GoFunction } from '../function.ts';
import { ARITHMETIC } from './arithmetic.ts';
import { CERTS } from './certs.ts';
import { CRYPTO } from './crypto.ts';
import { DATES } from './dates.ts';
import { DEFAULTS } from './defaults.ts';
import { DICTS } from './dicts.ts';
import { ENCODING } from './encoding.ts';
import { JSON_FUNCTIONS } from './json.ts';
import { JWK } from './jwk.ts';
import { LETTERS } from './letters.ts';
import { LISTS } from './lists.ts';
import { PATHS } from './paths.ts';
import { PEM } from './pem.ts';
import { PKCS12 } from './pkcs12.ts';
import { RANDOM } from './random.ts';
import { REFLECTION } from './reflection.ts';
import { REGEX } from './regex.ts';
import { RSA } from './rsa.ts';
import { SEMVER } from './semver.ts';
import { SPLIT } from './split.ts';
import { TEXT } from './text.ts';
import { URLS } from './url.ts';
import { WRAP } from './wrap.ts';
import { YAML } from './yaml.ts';

const MAPS: readonly FunctionMap[] = [
  ARITHMETIC,
  DEFAULTS,
  DICTS,
  JSON_FUNCTIONS,
  LETTERS,
  LISTS,
  RANDOM,
  REFLECTION,
  SPLIT,
  TEXT,
  CRYPTO,
  DATES,
  ENCODING,
  PATHS,
  REGEX,
  SEMVER,
  URLS,
  CERTS,
  JWK,
  PEM,
  PKCS12,
  RSA,
  WRAP,
  YAML,
];

/** @throws Error if two maps have one name: a mistake of ours, seen when the program starts */
function union(maps: readonly FunctionMap[]): FunctionMap {
  const all = new Map<string, GoFunction>();
  for (const [name, declared] of maps.flatMap((map) => [...map])) {
    if (all.has(name)) throw new Error(`two functions of templates are called ${name}`);
    all.set(name, declared);
  }
  return all;
}

/** All functions by name. */
export const FUNCTIONS: FunctionMap = union(MAPS);
