/** Reads, writes and enables policies and their versions, with the rights of the caller. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { canonicalJson } from '@rhizome/digest';
import { type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import {
  mostVersions,
  policyId,
  type PolicyVersionDocument,
  type PolicyView,
  versionId,
} from './policy.document.js';
import { checkedContent, type GivenContent } from './policy-input.js';
import type { PolicyScopes, ScopeErrorCode } from './policy-scopes.js';
import type { PoliciesRepository, VersionsRequest } from './policies.repository.js';
import type { PolicyScope } from './policy.types.js';

/** Dependencies of {@link PoliciesService}. */
export interface PoliciesOptions {
  readonly repository: PoliciesRepository;
  readonly scopes: PolicyScopes;
  readonly clock: Clock;
}

/** Version to add. */
export interface AddVersion extends GivenContent {
  readonly scope: PolicyScope;
  readonly comment?: string | null | undefined;
}

/** The policy and the version, or the errors because of which it was refused. */
export interface AddedVersion {
  readonly policy: PolicyView | null;
  readonly version: PolicyVersionDocument | null;
  readonly userErrors: readonly InputError<ScopeErrorCode | 'VERSION_CONFLICT'>[];
}

/** The policy, or the errors because of which it was not changed. */
export interface ChangedPolicy<C extends string = never> {
  readonly policy: PolicyView | null;
  readonly userErrors: readonly InputError<ScopeErrorCode | C>[];
}

/** Reads and changes policies. */
export class PoliciesService {
  readonly #options: PoliciesOptions;

  constructor(options: PoliciesOptions) {
    this.#options = options;
  }

  /** The policy of a scope as stored now; null if there is none or the principal may not see it. */
  async find(principal: Principal, scope: PolicyScope): Promise<PolicyView | null> {
    return (await this.visibleByIds(principal, [policyId(scope)]))[0] ?? null;
  }

  /**
   * Page of the policies that the principal may see, by id.
   * @throws DomainError CURSOR_INVALID, BAD_USER_INPUT
   */
  page(
    principal: Principal,
    page: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<PolicyView>> {
    const { repository, scopes } = this.#options;
    return repository.page(scopes.visibility(principal), page);
  }

  /** Pages of the versions of policies, newest first. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  versions(requests: readonly VersionsRequest[]): Promise<readonly KeysetPage<PolicyVersionDocument>[]> {
    return this.#options.repository.pages(requests);
  }

  /** Versions by id, one entry per id. */
  versionsByIds(ids: readonly string[]): Promise<readonly (PolicyVersionDocument | null)[]> {
    return this.#options.repository.versions(ids);
  }

  /** Policies by id, one entry per id; null for those that the principal may not see. */
  async visibleByIds(principal: Principal, ids: readonly string[]): Promise<readonly (PolicyView | null)[]> {
    const { repository, scopes } = this.#options;
    const found = await repository.find(ids);
    return Promise.all(
      found.map(async (policy) => (policy && (await scopes.isVisible(principal, policy)) ? policy : null)),
    );
  }

  /**
   * Adds a version; it does not apply before it is enabled. Content and comment of the newest version give
   * that version.
   */
  async addVersion(
    principal: Principal,
    { scope, comment, rules, placement }: AddVersion,
  ): Promise<AddedVersion> {
    const { repository, scopes, clock } = this.#options;
    const target = await scopes.writable(principal, scope);
    if ('missing' in target) return { policy: null, version: null, userErrors: [target.missing] };
    const errors = new InputErrors();
    const content = checkedContent({ rules, placement }, errors, scope.kind);
    if (comment) errors.text(['comment'], comment, 1, 500);
    if (!errors.isEmpty) return { policy: null, version: null, userErrors: errors.all };
    const id = policyId(scope);
    const newest = await repository.newest(id);
    const isSame =
      newest !== null &&
      newest.author === principal.subject &&
      (newest.comment ?? '') === (comment ?? '') &&
      canonicalJson(newest.content) === canonicalJson(content);
    const version = isSame
      ? newest
      : await repository.add(target, {
          author: principal.subject,
          ...(comment ? { comment } : {}),
          content,
          createdAt: clock.now(),
        });
    if (version) return { policy: await this.#stored(id), version, userErrors: [] };
    const message = 'scope: others are adding versions; try again';
    const conflict = { code: 'VERSION_CONFLICT', path: ['scope'], message } as const;
    return { policy: null, version: null, userErrors: [conflict] };
  }

  /** Lets a version apply to attempts that fail from now on. */
  async enable(
    principal: Principal,
    { scope, version: number }: { readonly scope: PolicyScope; readonly version: number },
  ): Promise<ChangedPolicy<'VERSION_NOT_FOUND'>> {
    const { repository, scopes, clock } = this.#options;
    const target = await scopes.writable(principal, scope);
    if ('missing' in target) return { policy: null, userErrors: [target.missing] };
    const errors = new InputErrors<'VERSION_NOT_FOUND'>();
    errors.int(['version'], number, 1, mostVersions);
    if (!errors.isEmpty) return { policy: null, userErrors: errors.all };
    const id = policyId(scope);
    const [version] = await repository.versions([versionId(id, number)]);
    const current = await this.#stored(id);
    if (!version || !current) {
      const message = `version: the policy has no version ${number}; must be 1 to ${current?.newest ?? 0}`;
      errors.report('VERSION_NOT_FOUND', ['version'], message);
      return { policy: null, userErrors: errors.all };
    }
    if (current.enabled?.version === number) return { policy: current, userErrors: [] };
    const now = clock.now();
    const enabled = { version: number, by: principal.subject, at: now, content: version.content };
    return { policy: await repository.enable(id, enabled, now), userErrors: [] };
  }

  /** Ends the effect of a policy; its versions stay. */
  async disable(principal: Principal, { scope }: { readonly scope: PolicyScope }): Promise<ChangedPolicy> {
    const { repository, scopes, clock } = this.#options;
    const target = await scopes.writable(principal, scope);
    if ('missing' in target) return { policy: null, userErrors: [target.missing] };
    const current = await this.#stored(policyId(scope));
    if (!current?.enabled) return { policy: current, userErrors: [] };
    return { policy: await repository.enable(current._id, undefined, clock.now()), userErrors: [] };
  }

  async #stored(id: string): Promise<PolicyView | null> {
    return (await this.#options.repository.find([id]))[0] ?? null;
  }
}
