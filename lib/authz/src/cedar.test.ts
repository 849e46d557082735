// The table of roles a second time, in the language of another engine: what one of the two allows and the
// other does not is an error of one of them.
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type CoreAction, coreActions, type Role, roles } from './actions.js';
import { can } from './permissions.js';
import { createPrincipal, type Grant, type Principal } from './principal.js';

const policies = `
// Everybody with a role in an experiment reads in it, except pilots.
permit (principal, action in [
  Action::"job:read", Action::"task:read", Action::"queue:read", Action::"worker:read",
  Action::"experiment:read", Action::"share:read", Action::"storage:read", Action::"events:read", Action::"schema:read",
  Action::"pool:read", Action::"dataset:read"
], resource) when {
  resource in principal.READER || resource in principal.USER || resource in principal.PRODUCTION ||
  resource in principal.OPERATOR || resource in principal.SERVICE
};
// Who submits manages what is their own.
permit (principal, action in [
  Action::"job:submit", Action::"job:cancel", Action::"job:retry", Action::"job:hold", Action::"task:submit",
  Action::"job:grantAccess", Action::"policy:set", Action::"secret:set", Action::"pool:publish",
  Action::"pool:close", Action::"dataset:write"
], resource) when {
  resource in principal.USER || resource in principal.PRODUCTION || resource in principal.SERVICE
};
permit (principal, action in [
  Action::"job:setPriority", Action::"job:manageAny", Action::"policy:manage", Action::"secret:manage",
  Action::"secret:use", Action::"proposal:read", Action::"proposal:decide"
], resource) when { resource in principal.PRODUCTION };
permit (principal, action in [
  Action::"job:setPriority", Action::"job:submitFor",
  Action::"subgraph:read", Action::"schema:check", Action::"schema:publish", Action::"secret:use"
], resource) when { resource in principal.SERVICE };
permit (principal, action in [
  Action::"job:cancel", Action::"job:hold", Action::"job:setPriority", Action::"job:manageAny",
  Action::"job:grantAccess", Action::"pool:close",
  Action::"queue:create", Action::"queue:update", Action::"queue:setState", Action::"worker:drain",
  Action::"operation:trace", Action::"subgraph:read", Action::"schema:check", Action::"metrics:scrape",
  Action::"worker:enrol", Action::"pilot:request", Action::"storage:manage", Action::"audit:read",
  Action::"service:read", Action::"policy:set", Action::"proposal:read", Action::"proposal:decide"
], resource) when { resource in principal.OPERATOR };
permit (principal, action in [
  Action::"job:read", Action::"queue:read", Action::"worker:read", Action::"worker:register",
  Action::"worker:heartbeat", Action::"worker:drain", Action::"job:acquire", Action::"job:report",
  Action::"jobLog:append", Action::"secret:redeem"
], resource) when { resource in principal.PILOT };
permit (principal, action, resource) when { resource in principal.ADMIN };

// The token of a pilot is on a worker node, and an agent may be talked into anything.
forbid (principal, action, resource) when { principal.kind == "PILOT" } unless {
  action in [
    Action::"job:read", Action::"queue:read", Action::"worker:read", Action::"worker:register",
    Action::"worker:heartbeat", Action::"worker:drain", Action::"job:acquire", Action::"job:report",
    Action::"jobLog:append", Action::"secret:redeem"
  ]
};
forbid (principal, action, resource) when { principal.kind == "AGENT" } unless {
  action in [
    Action::"job:read", Action::"task:read", Action::"queue:read", Action::"worker:read",
    Action::"experiment:read", Action::"share:read", Action::"storage:read", Action::"events:read", Action::"schema:read",
    Action::"subgraph:read", Action::"identity:read", Action::"audit:read",
    Action::"service:read", Action::"pool:read", Action::"dataset:read", Action::"proposal:read"
  ]
};
forbid (principal, action, resource)
when { principal has limit && !principal.limit.contains(action) };
`;

const experiments = ['alpha', 'beta', 'gamma'];
const anyExperiment = { type: 'Experiment', id: '*' };

/** Decision of the other engine. A role in all experiments is one in the parent of each. */
function isAllowed(principal: Principal, action: CoreAction, experiment: string): boolean {
  const { kind, subject, grants, actions, boundedBy } = principal;
  const own = decide({ kind, grants, actions }, subject, action, experiment);
  if (kind !== 'AGENT') return own;
  return own && decide({ kind: 'HUMAN', grants: boundedBy ?? [] }, 'human', action, experiment);
}

type Rights = Pick<Principal, 'kind' | 'grants' | 'actions'>;

function decide(
  { kind, grants, actions }: Rights,
  id: string,
  action: CoreAction,
  experiment: string,
): boolean {
  const ofRole = (role: Role) =>
    grants
      .filter((grant) => grant.roles.includes(role))
      .map((grant) => ({ __entity: { type: 'Experiment', id: grant.experiment } }));
  const limit = actions?.map((name) => ({ __entity: { type: 'Action', id: name } }));
  const uid = { type: 'Principal', id };
  const attrs = {
    kind,
    ...Object.fromEntries(roles.map((role) => [role, ofRole(role)])),
    ...(limit && { limit }),
  };
  const answer = statefulIsAuthorized({
    principal: uid,
    action: { type: 'Action', id: action },
    resource: { type: 'Experiment', id: experiment },
    context: {},
    preparsedPolicySetId: 'roles',
    entities: [
      { uid, attrs, parents: [] },
      { uid: anyExperiment, attrs: {}, parents: [] },
      ...experiments.map((name) => ({
        uid: { type: 'Experiment', id: name },
        attrs: {},
        parents: [anyExperiment],
      })),
    ],
  });
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
  if (answer.response.diagnostics.errors.length > 0)
    throw new Error(JSON.stringify(answer.response.diagnostics.errors));
  return answer.response.decision === 'allow';
}

const expiresAt = new Date('2030-01-01T00:00:00Z');
const grantList = fc.array(
  fc.record({
    experiment: fc.constantFrom('*', 'alpha', 'beta'),
    roles: fc.subarray([...roles], { minLength: 1, maxLength: 3 }),
  }),
  { maxLength: 3 },
);
const limits = fc.option(fc.subarray([...coreActions]), { nil: undefined, freq: 4 });
const principals: fc.Arbitrary<Principal> = fc.oneof(
  fc
    .record({
      kind: fc.constantFrom('HUMAN' as const, 'SERVICE' as const, 'PILOT' as const),
      grants: grantList,
      actions: limits,
    })
    .map((init) => createPrincipal({ subject: 'somebody', expiresAt, ...init })),
  fc
    .record({ grants: grantList, boundedBy: fc.option(grantList, { nil: undefined }), actions: limits })
    .map((init) =>
      createPrincipal({ kind: 'AGENT', subject: 'bot', actsFor: 'a human', expiresAt, ...init }),
    ),
);

beforeAll(() => {
  expect(preparsePolicySet('roles', { staticPolicies: policies })).toEqual({ type: 'success' });
});

describe('table of roles', () => {
  it.each(roles)('agrees with Cedar on each action of %s', (role) => {
    const differing: string[] = [];
    for (const experiment of ['*', 'alpha'])
      for (const action of coreActions) {
        const grants: Grant[] = [{ experiment, roles: [role] }];
        const kind = role === 'PILOT' || role === 'SERVICE' ? role : 'HUMAN';
        const principal = createPrincipal({ kind, subject: 'somebody', grants, expiresAt });
        for (const asked of ['*', ...experiments])
          if (can(principal, action, asked) !== isAllowed(principal, action, asked))
            differing.push(`${role} in ${experiment}: ${action} in ${asked}`);
      }
    expect(differing).toEqual([]);
  });

  it('agrees with Cedar for any principal', () => {
    fc.assert(
      fc.property(
        principals,
        fc.subarray([...coreActions], { minLength: 4, maxLength: 8 }),
        (principal, actions) => {
          for (const action of actions)
            for (const experiment of ['*', 'alpha', 'gamma'])
              expect([action, experiment, can(principal, action, experiment)]).toEqual([
                action,
                experiment,
                isAllowed(principal, action, experiment),
              ]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
