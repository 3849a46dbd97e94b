/** The serving certificate from two files, which somebody else renews: a mounted Secret of cert-manager. */
import { readFile } from 'node:fs/promises';
import type { KubeLog } from '../kube/log.ts';
import type { SharedState } from './authority.ts';
import type { LeafSource, ServingCertificate } from './leaf.ts';
import { notAfter, readCertificate, servingProblem } from './x509.ts';

/** Paths of PEM files. */
export interface CertificateFiles {
  /** The certificate, and intermediate CAs after it. */
  readonly cert: string;
  readonly key: string;
}

interface FileLeafOptions {
  readonly files: CertificateFiles;
  /** Names that the certificate has to be valid for. */
  readonly dnsNames: readonly string[];
  readonly log: KubeLog;
  /** Told at each look at the files whether what they hold can be served. */
  readonly onLook: (usable: boolean) => void;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const MAX_TRIES = 3;

export class FileLeaf implements LeafSource {
  readonly #options: FileLeafOptions;
  #served: Pair | undefined;
  #lastProblem: string | undefined;

  constructor(options: FileLeafOptions) {
    this.#options = options;
  }

  /**
   * Reads the files; new content is served once it fits. What does not (a key of another certificate, another
   * name, out of its time, no file) is reported, and what was served stays. Reading at each turn instead of
   * watching: kubelet changes a volume by a symbolic link, and some file systems tell of nothing.
   */
  async renew(_state: SharedState, now: number): Promise<ServingCertificate | undefined> {
    const { dnsNames, files, log, onLook } = this.#options;
    const pair = await this.#read();
    const served = this.#served;
    const isNews = typeof pair === 'string' || pair.cert !== served?.cert || pair.key !== served.key;
    const problem =
      typeof pair === 'string' ? pair : isNews ? servingProblem(pair, dnsNames, now) : undefined;
    onLook(problem === undefined);
    if (problem !== this.#lastProblem && problem !== undefined) {
      const what = served ? 'the one before is still served' : 'nothing is served until it can be used';
      log.error({ ...files, problem }, `the certificate in the files cannot be used, ${what}`);
    }
    this.#lastProblem = problem;
    if (problem !== undefined || typeof pair === 'string' || !isNews) return undefined;
    const certificate = readCertificate(pair.cert);
    if (!certificate) return undefined;
    this.#served = pair;
    const end = notAfter(certificate);
    log.info({ ...files, notAfter: new Date(end).toISOString() }, 'serving certificate read');
    return { ...pair, notAfter: end };
  }

  /** Certificate and key of one moment, or why there are none. */
  async #read(): Promise<Pair | string> {
    const { cert: certFile, key: keyFile } = this.#options.files;
    try {
      let cert = await readFile(certFile, 'utf8');
      for (let tries = 1; ; tries++) {
        const key = await readFile(keyFile, 'utf8');
        // They may have been replaced between one read and the other.
        const again = await readFile(certFile, 'utf8');
        if (cert === again || tries === MAX_TRIES) return { cert: again, key };
        cert = again;
      }
    } catch (error) {
      const { code } = error as { code?: unknown };
      return `it cannot be read (${typeof code === 'string' ? code : 'unknown error'})`;
    }
  }
}
