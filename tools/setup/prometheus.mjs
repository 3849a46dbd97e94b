/**
 * Prometheus and promtool, which the alert rules and the dashboard are tried with: those of $PROMETHEUS_BIN or of PATH,
 * else of the Debian package. Elsewhere the tests that need them are skipped, and say so.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureCached } from './cached.mjs';
import { PROMETHEUS_PROGRAMS, prometheusDirectory, prometheusProgram } from './paths.mjs';
import { run, SetupError, UnavailableError } from './progress.mjs';

const DOWNLOAD_MS = 300_000;

async function unpackDebianPackage(directory) {
  await run('apt-get', ['download', 'prometheus'], {
    title: 'Prometheus: fetching the Debian package (19 MB)',
    cwd: directory,
    timeout: DOWNLOAD_MS,
  });
  const [file = ''] = readdirSync(directory).filter((name) => name.endsWith('.deb'));
  await run('dpkg-deb', ['-x', join(directory, file), directory], { title: 'Prometheus: unpacking' });
  rmSync(join(directory, file));
}

export async function ensurePrometheus() {
  const missing = PROMETHEUS_PROGRAMS.filter((name) => prometheusProgram(name) === undefined);
  if (missing.length === 0) return;
  if (process.env.PROMETHEUS_BIN) {
    throw new SetupError(
      `Prometheus: PROMETHEUS_BIN=${process.env.PROMETHEUS_BIN} has no program ${missing.join(', ')}; correct or unset it.`,
    );
  }
  await ensureCached(prometheusDirectory(), 'Prometheus', unpackDebianPackage).catch((error) => {
    if (!(error instanceof SetupError)) throw error;
    const reason = error.message.trimEnd().split('\n').at(-1);
    throw new UnavailableError(
      `Prometheus: no package of Debian to be had; put prometheus and promtool into a folder and set PROMETHEUS_BIN to it\n${reason}`,
    );
  });
}
