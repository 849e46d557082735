/** The records of outside issuers, permissions to change them, and the file that brings some of them. */
import { isDeepStrictEqual } from 'node:util';
import { assertCan, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type CodedInputError, DomainError, InputErrors } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { KeysetPage } from '@rhizome/mongo';
import { visibleTo } from '../visible-experiments.js';
import type {
  ClaimProfile,
  IssuerDocument,
  IssuerLogin,
  IssuerSettingsRecord,
  IssuerVersionDocument,
} from './issuer.document.js';
import type { NamedIssuer } from './issuer-file.js';
import { checkIssuer } from './issuer-input.js';
import type { IssuersRepository } from './issuers.repository.js';
import { visibleIssuer } from './visible-issuer.js';

/** Reasons to refuse a record. */
export type IssuerSetCode = 'INVALID_VALUE' | 'ISSUER_TAKEN' | 'MANAGED_BY_FILE';

/** Reasons not to remove a record. */
export type IssuerRemovalCode = 'ISSUER_NOT_FOUND' | 'MANAGED_BY_FILE';

/** The issuer as it is now, or as it was removed, or the reasons for the refusal. */
export interface IssuerChanged<C extends string> {
  readonly issuer: IssuerDocument | null;
  readonly userErrors: readonly CodedInputError<C>[];
}

/** An issuer at which people log in, or whose tokens CI jobs have. */
export interface LoginOffer {
  readonly name: string;
  readonly issuer: string;
  readonly profile: ClaimProfile;
  /** The audience to ask for. */
  readonly audience: string;
  /** Null for an issuer of workload tokens. */
  readonly login: IssuerLogin | null;
}

/** Ports of {@link IssuersService}. */
export interface IssuersOptions {
  readonly issuers: IssuersRepository;
  readonly clock: Clock;
  readonly log: Logger;
  /** The `iss` of Rhizome's own tokens, which no record may claim. */
  readonly ownIssuer: string;
}

/** Time for which offers are kept, in milliseconds: anybody may ask for them. */
const offersKeptMs = 2000;

/** Lists and changes issuers. */
export class IssuersService {
  readonly #options: IssuersOptions;
  #offers: { readonly until: number; readonly offers: Promise<readonly LoginOffer[]> } | undefined;

  constructor(options: IssuersOptions) {
    this.#options = options;
  }

  /** The issuers whose tokens give rights in experiments whose identities the caller may read. */
  async list(by: Principal): Promise<readonly IssuerDocument[]> {
    const visible = visibleTo(by);
    const all = await this.#options.issuers.all();
    return all.flatMap((issuer) => visibleIssuer(issuer, visible) ?? []);
  }

  /** Issuers at which people and CI jobs log in, sorted by name; changes of other processes appear in 2 s. */
  offers(): Promise<readonly LoginOffer[]> {
    const now = this.#options.clock.monotonicMs();
    if (!this.#offers || now >= this.#offers.until) {
      const offers = this.#readOffers();
      this.#offers = { until: now + offersKeptMs, offers };
      offers.catch(() => (this.#offers = undefined));
    }
    return this.#offers.offers;
  }

  async #readOffers(): Promise<readonly LoginOffer[]> {
    const enabled = (await this.#options.issuers.all()).filter(({ isEnabled }) => isEnabled);
    return enabled.flatMap(offerOf);
  }

  byName(name: string): Promise<IssuerDocument | null> {
    return this.#options.issuers.byName(name);
  }

  /** The part of settings that concerns experiments whose identities the caller may read. */
  visibleSettings(settings: IssuerSettingsRecord, by: Principal): IssuerSettingsRecord | null {
    return visibleIssuer(settings, visibleTo(by));
  }

  /**
   * Versions of a record, the newest first. A caller who may not read all identities gets those that name
   * only experiments whose identities it may read.
   */
  history(
    name: string,
    first: number,
    after: string | null | undefined,
    by: Principal,
  ): Promise<KeysetPage<IssuerVersionDocument>> {
    return this.#options.issuers.history(name, visibleTo(by), first, after);
  }

  /** Writes a record. @throws DomainError FORBIDDEN */
  async set(
    name: string,
    settings: IssuerSettingsRecord,
    principal: Principal,
  ): Promise<IssuerChanged<IssuerSetCode>> {
    assertCan(principal, 'issuer:set', '*');
    const errors = new InputErrors<IssuerSetCode>();
    checkIssuer(name, settings, errors as InputErrors);
    this.#checkOwn(settings, errors);
    const known = await this.#options.issuers.byName(name);
    if (known?.source === 'FILE') errors.report('MANAGED_BY_FILE', ['name'], managedByFile(name));
    if (!errors.isEmpty) return { issuer: null, userErrors: errors.all };
    const now = this.#options.clock.now();
    const issuer = await this.#options.issuers.set({
      name,
      settings,
      by: principal.subject,
      source: 'API',
      now,
    });
    this.#offers = undefined;
    if (!issuer)
      errors.report('ISSUER_TAKEN', ['issuer'], `issuer: another record is for "${settings.issuer}"`);
    return { issuer, userErrors: errors.all };
  }

  /** Removes a record; tokens of the issuer are worth nothing from here on. @throws DomainError FORBIDDEN */
  async remove(name: string, principal: Principal): Promise<IssuerChanged<IssuerRemovalCode>> {
    assertCan(principal, 'issuer:set', '*');
    const known = await this.#options.issuers.byName(name);
    const refusal = removalRefusal(name, known);
    if (refusal) return { issuer: null, userErrors: [refusal] };
    const issuer = await this.#options.issuers.remove(name, principal.subject, this.#options.clock.now());
    this.#offers = undefined;
    return { issuer, userErrors: [] };
  }

  /** Brings the issuers of the file into the store; those that the file no longer has are removed. */
  async adoptFile(found: readonly NamedIssuer[], file: string): Promise<void> {
    const { issuers, clock, log } = this.#options;
    const by = `file:${file}`;
    const names = new Set(found.map(({ name }) => name));
    for (const known of await issuers.all()) {
      if (known.source !== 'FILE' || names.has(known._id)) continue;
      await issuers.remove(known._id, by, clock.now());
      log.info({ issuer: known._id, file }, 'issuer removed');
    }
    for (const { name, settings } of found) {
      this.#refuseOwn(name, settings);
      const known = await issuers.byName(name);
      if (known?.source === 'FILE' && isDeepStrictEqual(settingsOf(known), settings)) continue;
      const written = await issuers.set({ name, settings, by, source: 'FILE', now: clock.now() });
      if (!written) throw taken(name, settings.issuer, file);
      log.info({ issuer: name, revision: written.revision, file }, 'issuer changed');
    }
  }

  #checkOwn({ issuer }: IssuerSettingsRecord, errors: InputErrors<IssuerSetCode>): void {
    if (issuer === this.#options.ownIssuer)
      errors.add(['issuer'], issuer, 'another issuer; this is Rhizome itself');
  }

  #refuseOwn(name: string, settings: IssuerSettingsRecord): void {
    if (settings.issuer === this.#options.ownIssuer) throw taken(name, settings.issuer, 'Rhizome itself');
  }
}

const workloads: readonly ClaimProfile[] = ['GITHUB', 'GITLAB'];

function offerOf(record: IssuerDocument): LoginOffer[] {
  const { login, profile, audiences } = settingsOf(record);
  const [audience] = audiences;
  if (audience === undefined || (login === null && !workloads.includes(profile))) return [];
  return [{ name: record._id, issuer: record.issuer, profile, audience, login }];
}

/** The settings of a record, without what the store adds. */
export function settingsOf(issuer: IssuerDocument): IssuerSettingsRecord {
  const { profile, jwksUri, audiences, experiments, kinds, roles, maxLifetimeSeconds, isEnabled, rules } =
    issuer;
  // Records that were written by an earlier version have no `login`.
  const login: IssuerLogin | null | undefined = issuer.login;
  return {
    issuer: issuer.issuer,
    profile,
    jwksUri,
    audiences,
    experiments,
    kinds,
    roles,
    maxLifetimeSeconds,
    isEnabled,
    login: login ?? null,
    rules,
  };
}

function managedByFile(name: string): string {
  return `name: "${name}" comes from a file; change it there`;
}

/** Reason not to remove a record; undefined if there is none. */
function removalRefusal(
  name: string,
  known: IssuerDocument | null,
): CodedInputError<IssuerRemovalCode> | undefined {
  if (!known) return { code: 'ISSUER_NOT_FOUND', path: ['name'], message: `Issuer "${name}" not found.` };
  if (known.source === 'FILE')
    return { code: 'MANAGED_BY_FILE', path: ['name'], message: managedByFile(name) };
  return undefined;
}

function taken(name: string, issuer: string, by: string): DomainError {
  const text = `Issuer "${name}": "${issuer}" is taken by another record or by Rhizome (${by})`;
  return new DomainError('CONFIG_INVALID', text, {
    field: 'identity.file',
    value: issuer,
    expected: 'each issuer once',
  });
}
