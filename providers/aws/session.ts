/**
 * Credentials that all uses of one store identity share. One login serves a process until two thirds of its life are
 * over; then another one is made beside the work.
 */
import type { Clock } from '../../api/clock.ts';
import { cancelled } from '../http-errors.ts';
import { SharedFlight } from '../shared-flight.ts';
import type { AwsCredentials, Reach } from './reach.ts';

/** How to get credentials; a connection brings it along, for it knows the ports and the configuration. */
export interface AwsLogin {
  /** How errors begin: service and purpose. */
  readonly label: string;
  readonly reach: Reach;
  credentials(signal: AbortSignal): Promise<AwsCredentials>;
}

const RENEW_AT = 2 / 3;
/** New credentials that were refused as well are not replaced at once: another login would change nothing. */
const FRESH_MS = 60_000;
const BACKGROUND_TIMEOUT_MS = 10_000;

interface Held {
  readonly credentials: AwsCredentials;
  /** All on the monotonic clock. */
  readonly since: number;
  readonly renewAt: number;
  readonly expiresAt: number;
}

export class AwsSession {
  readonly #clock: Clock;
  readonly #flight = new SharedFlight<AwsCredentials>();
  #held: Held | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Credentials that should work. @throws ProviderError */
  async credentials(login: AwsLogin, signal: AbortSignal): Promise<AwsCredentials> {
    const held = this.#held;
    const now = this.#clock.monotonic();
    if (held === undefined || now >= held.expiresAt) return this.#login(login, signal);
    if (now >= held.renewAt) this.#renewInBackground(held, login);
    return held.credentials;
  }

  /** AWS refused these credentials. @returns true if there are others to try */
  refused(credentials: AwsCredentials): boolean {
    const held = this.#held;
    if (held?.credentials !== credentials) return true;
    const isGiven = held.expiresAt === Number.POSITIVE_INFINITY;
    if (isGiven || this.#clock.monotonic() - held.since < FRESH_MS) return false;
    this.#held = undefined;
    return true;
  }

  async #login(login: AwsLogin, signal: AbortSignal): Promise<AwsCredentials> {
    try {
      return await this.#flight.run((shared) => this.#hold(login, shared), signal);
    } catch (error) {
      throw signal.aborted ? cancelled(login.label, signal) : error;
    }
  }

  async #hold(login: AwsLogin, signal: AbortSignal): Promise<AwsCredentials> {
    const since = this.#clock.monotonic();
    const credentials = await login.credentials(signal);
    const { expiresAt } = credentials;
    const life =
      expiresAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, expiresAt - this.#clock.now());
    this.#held = { credentials, since, renewAt: since + life * RENEW_AT, expiresAt: since + life };
    return credentials;
  }

  /** The caller has credentials that work; if this fails, it is tried again after a pause. */
  #renewInBackground(held: Held, login: AwsLogin): void {
    this.#held = { ...held, renewAt: Number.POSITIVE_INFINITY };
    this.#login(login, AbortSignal.timeout(BACKGROUND_TIMEOUT_MS)).catch(() => {
      if (this.#held?.credentials !== held.credentials) return;
      const now = this.#clock.monotonic();
      this.#held = { ...held, renewAt: now + Math.max(0, held.expiresAt - now) / 4 };
    });
  }
}
