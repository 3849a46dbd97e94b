import { httpRequest } from './http.ts';

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/**
 * The sum of all samples of a metric that carry these labels (others may be there, too); 0 if there is none.
 * @param text what /metrics answers, in Prometheus' text format
 */
export function sumSamples(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    const [, sampleName, labelText = '', value = ''] = SAMPLE.exec(line) ?? [];
    if (sampleName !== name) continue;
    const present = new Map([...labelText.matchAll(LABEL)].map(([, key = '', label = '']) => [key, label]));
    if (Object.entries(labels).every(([key, label]) => present.get(key) === label)) sum += Number(value);
  }
  return sum;
}

/** @throws Error if the program does not answer 200 */
export async function scrape(metricsUrl: string): Promise<string> {
  const { status, body } = await httpRequest<string>('GET', metricsUrl);
  if (status !== 200) throw new Error(`${metricsUrl} answered ${status}`);
  return body;
}
