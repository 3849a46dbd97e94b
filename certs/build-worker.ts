/** The thread that builds one certificate: takes an Order as workerData, answers once, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { issue, type Order } from './issue.ts';

parentPort?.postMessage(await issue(workerData as Order));
