import type { Logger } from '@rhizome/log';
import type { AttemptFolders, Scratch } from '../files/scratch.js';
import { AttemptError } from '../payload/attempt-error.js';
import { CoreRefused, type Assignment, type CoreProtocol } from '../protocol/core-protocol.js';
import type { JobReports } from '../report/job-reports.js';
import type { AttemptToken } from '../secrets/attempt-token.js';
import { AttemptSecrets, type SecretHost } from '../secrets/attempt-secrets.js';
import { keepToken, receiveSecrets, type SecretSource } from '../secrets/receive-secrets.js';
import type { PayloadHandle } from '../supervisor/payload-handle.js';
import type { PayloadHost } from './payload-command.js';

/** Services for the secrets of a job. */
export interface JobSecretsServices extends Pick<PayloadHost, 'isolation'> {
  readonly core: CoreProtocol;
  readonly log: Logger;
}

/** Secrets and token of one job. */
export class JobSecrets {
  readonly #assignment: Assignment;
  readonly #reports: JobReports;
  readonly #services: JobSecretsServices;

  constructor(assignment: Assignment, reports: JobReports, services: JobSecretsServices) {
    this.#assignment = assignment;
    this.#reports = reports;
    this.#services = services;
  }

  /**
   * Receives them.
   * @param onRefused called with a refusal of core
   * @throws AttemptError; the signal's reason
   */
  async receive(
    folders: AttemptFolders,
    host: SecretHost,
    signal: AbortSignal,
    onRefused: (refusal: CoreRefused) => void,
  ): Promise<AttemptSecrets> {
    const { isolation, log } = this.#services;
    const { image } = this.#assignment.payload;
    const isIsolated = image === null ? isolation.hasSandbox : isolation.containers.runtimes.length > 0;
    if (!isIsolated)
      throw new AttemptError('WORKER', 'ISOLATION_MISSING', 'Payloads with secrets need isolation.', true);
    return receiveSecrets(this.#source(host), folders, signal, log).catch((error: unknown) => {
      if (!(error instanceof CoreRefused)) throw error;
      onRefused(error);
      signal.throwIfAborted();
      throw new AttemptError('DATA', 'SECRET_UNAVAILABLE', error.message, false);
    });
  }

  /** Secrets of a payload that an earlier pilot has started; renews its token from now on. */
  reopen(folder: string, scratch: Scratch, payload: PayloadHandle, signal: AbortSignal): AttemptSecrets {
    const { log } = this.#services;
    const { attemptId, payload: given } = this.#assignment;
    const hide: SecretHost['hide'] = async (texts) => payload.mask(texts);
    const secrets = AttemptSecrets.reopen(folder, scratch.foldersOf(attemptId), hide);
    const token = async (end: AbortSignal): Promise<AttemptToken> => this.#token(end);
    if (given.isTokenRequired)
      void keepToken(secrets, { token }, signal, log).catch((error: unknown) => {
        if (!signal.aborted && !secrets.removed.aborted) log.warn({ err: error }, 'job token not renewed');
      });
    return secrets;
  }

  #source(host: SecretHost): SecretSource {
    const { core } = this.#services;
    const { secretIds, isTokenRequired } = this.#assignment.payload;
    return {
      secretIds,
      isTokenRequired,
      host,
      redeem: (ids, end) =>
        this.#reports.call(
          ({ workerId, signal: until }) => core.redeemSecrets(workerId, this.#reports.held, ids, until),
          end,
        ),
      token: (end) => this.#token(end),
    };
  }

  async #token(end: AbortSignal): Promise<AttemptToken> {
    const { core } = this.#services;
    return this.#reports.call(({ signal }) => core.attemptToken(this.#reports.held, signal), end);
  }
}
