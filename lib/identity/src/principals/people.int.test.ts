import { beforeAll, describe, expect, it } from '@jest/globals';
import { can, type Principal, type Verifier } from '@rhizome/authz';
import { manualClock, testDatabase, waitFor } from '@rhizome/testkit';
import { IssuersRepository } from '../issuers/issuers.repository.js';
import { admin, identitySystem, type IdentitySystem, ruleOf } from '../testing/identity-system.js';
import { People } from './people.js';
import { PrincipalsRepository } from './principals.repository.js';

/** A change is known within 2 s on an idle machine. */
const soon = { deadlineMs: 2000 };

let system: IdentitySystem;
let verifier: Verifier;

beforeAll(async () => {
  system = await identitySystem();
  ({ verifier } = system);
  await trust();
});

const managers = ruleOf('managers', {
  when: { groups: ['/managers'] },
  grants: [{ experiment: 'heron', roles: ['PRODUCTION'] }],
});

function trust(rules = [managers]): Promise<void> {
  return system.trust({ rules });
}

const outside = (sub: string, groups: readonly string[] = []): Promise<string> =>
  system.issuer.issue({ sub, client_id: undefined, groups });

async function setRoles(
  principalId: string,
  roles: readonly ('USER' | 'READER')[],
  expiresAt: Date | null = null,
): Promise<void> {
  const request = { principalId, experiment: 'egret', roles, expiresAt, reason: null };
  const { userErrors } = await system.identity.principals.setMembership(request, admin);
  expect(userErrors).toEqual([]);
}

/** Somebody with a membership, and the token after it was given. */
async function member(
  sub: string,
  expiresAt?: Date,
): Promise<{ readonly id: string; readonly token: string }> {
  const { subject: id } = await verifier.verify(await system.exchange(await outside(sub)));
  await setRoles(id, ['USER'], expiresAt);
  return { id, token: await system.exchange(await outside(sub)) };
}

const isLost = (token: string, action: 'job:submit' | 'job:read', experiment: string) => async () =>
  !can(await verifier.verify(token), action, experiment);

describe('People', () => {
  it('gives all rights at once, and takes them when the membership ends', async () => {
    const { id, token } = await member('ann');
    const first: Principal = await verifier.verify(token);
    expect(can(first, 'job:submit', 'egret')).toBe(true);
    // Callers whose rights did not change share their reads.
    expect(first.boundedBy).toBeUndefined();
    await setRoles(id, ['READER']);
    await waitFor('the loss', isLost(token, 'job:submit', 'egret'), soon);
    expect(can(await verifier.verify(token), 'job:read', 'egret')).toBe(true);
    await setRoles(id, ['USER']);
    await waitFor('the return', async () => !(await isLost(token, 'job:submit', 'egret')()), soon);
  });

  it('takes rights when the membership ends by itself', async () => {
    const { token } = await member('bob', new Date(Date.now() + 3000));
    await waitFor('the end', isLost(token, 'job:read', 'egret'), { deadlineMs: 5000 });
  });

  it('takes rights when a rule that gave them is changed, or its issuer is disabled', async () => {
    const token = await system.exchange(await outside('cid', ['/managers']));
    expect(await isLost(token, 'job:submit', 'heron')()).toBe(false);
    await trust([{ ...managers, grants: [{ experiment: 'heron', roles: ['READER'] }] }]);
    await waitFor('the loss', isLost(token, 'job:submit', 'heron'), soon);
    await trust();
    await waitFor('the return', async () => !(await isLost(token, 'job:submit', 'heron')()), soon);
    await system.trust({ rules: [managers], isEnabled: false });
    await waitFor('the loss', isLost(token, 'job:read', 'heron'), soon);
    await trust();
  });

  it('takes rights when a later login brings less', async () => {
    const token = await system.exchange(await outside('dan', ['/managers']));
    expect(await isLost(token, 'job:submit', 'heron')()).toBe(false);
    await system.exchange(await outside('dan', []));
    await waitFor('the loss', isLost(token, 'job:submit', 'heron'), soon);
  });

  it('gives an agent the rights of its human now', async () => {
    const { id, token } = await member('eve');
    const agent = await system.exchange(token, { agent: 'notebook' });
    expect(can(await verifier.verify(agent), 'job:read', 'egret')).toBe(true);
    await setRoles(id, []);
    await waitFor('the loss', isLost(agent, 'job:read', 'egret'), soon);
    await setRoles(id, ['READER']);
    await waitFor('the return', async () => !(await isLost(agent, 'job:read', 'egret')()), soon);
    await system.identity.tokens.suspend(id, true, admin);
    await expect(verifier.verify(agent)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
  });

  it('reports the subjects whose rights became fewer', async () => {
    const { id, token } = await member('fay');
    await verifier.verify(token);
    const lost: string[] = [];
    const stop = system.identity.people.onLoss((subjects) => lost.push(...subjects));
    await setRoles(id, ['READER', 'USER']);
    await setRoles(id, ['READER']);
    // The losses of earlier tests may be reported late.
    await waitFor('the report', () => lost.includes(id), soon);
    stop();
    expect(lost.filter((subject) => subject === id)).toEqual([id]);
  });
});

/** Holds the answer to one question, which is then older than later changes. */
class HeldAnswers extends PrincipalsRepository {
  #isRead: (() => void) | undefined;
  #released: Promise<void> = Promise.resolve();
  #principals: Promise<unknown> = Promise.resolve();

  /** Resolves when the next answer is there; the caller releases it. */
  async holdNext(): Promise<() => void> {
    let release = (): void => undefined;
    this.#released = new Promise((resolve) => (release = resolve));
    await new Promise<void>((resolve) => (this.#isRead = resolve));
    return release;
  }

  override principalsOf(ids: readonly string[]): ReturnType<PrincipalsRepository['principalsOf']> {
    const found = super.principalsOf(ids);
    this.#principals = found;
    return found;
  }

  override async membershipsOf(
    ids: readonly string[],
    now: Date,
  ): ReturnType<PrincipalsRepository['membershipsOf']> {
    const found = await super.membershipsOf(ids, now);
    const isRead = this.#isRead;
    if (!isRead) return found;
    this.#isRead = undefined;
    await this.#principals;
    isRead();
    await this.#released;
    return found;
  }
}

describe('rights that end by time', () => {
  it('returns none that were read before a change', async () => {
    const end = new Date(Date.now() + 60_000);
    const { id } = await member('hal', end);
    const heron = { principalId: id, experiment: 'heron', expiresAt: null, reason: null };
    await system.identity.principals.setMembership({ ...heron, roles: ['USER'] }, admin);
    const db = (await testDatabase()).client.db(system.database);
    const issuers = await new IssuersRepository(db).all();
    const principals = new HeldAnswers(db);
    const clock = manualClock(new Date(end.getTime() - 1));
    const people = new People({ principals, issuers: { all: () => Promise.resolve(issuers) }, clock });
    expect((await people.rightsOf(id)).grants).toHaveLength(2);
    const holding = principals.holdNext();
    clock.advance(1);
    const release = await holding;
    await system.identity.principals.setMembership({ ...heron, roles: [] }, admin);
    await people.refresh([{ collection: 'memberships', id: `${id}:heron` }]);
    release();
    await new Promise(setImmediate);
    expect(await people.rightsOf(id)).toMatchObject({ grants: [] });
    people.stop();
  });
});

describe('rights for work that outlasts a call', () => {
  it('returns those of now, and none for a revoked token', async () => {
    const { id, token } = await member('gil');
    const { subject, issuer, tokenId, issuedAt } = await verifier.verify(token);
    const holder = { subject, issuer, tokenId, issuedAt };
    const { rights, tokens } = system.identity;
    expect(await rights.of(holder)).toEqual({
      isRevoked: false,
      grants: [{ experiment: 'egret', roles: ['USER'] }],
    });
    await setRoles(id, []);
    const isEmpty = async (): Promise<boolean> => (await rights.of(holder)).grants?.length === 0;
    await waitFor('the loss', isEmpty, soon);
    await tokens.revoke(token);
    expect(await rights.of(holder)).toEqual({ isRevoked: true, grants: [] });
    expect(await rights.of({ subject: 'somebody@elsewhere' })).toEqual({
      isRevoked: false,
      grants: undefined,
    });
  });
});
