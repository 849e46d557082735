/** Calls that no role in one experiment permits, by those that may make them. */
import { gatewayPrincipal } from '@rhizome/authz';
import { gatewayRows } from './gateway-rows.js';
import { type Objects, personOf } from './objects.js';
import { payloadOf } from './payloads.js';
import { mutation, type Row, type Rows } from './row.js';
import { rows } from './rows.js';
import { type Answer, type Verdict, verdictOfAnswer } from './verdict.js';
import type { World } from './world.js';

/** Columns of the table. */
export const otherCallers = [
  'ADMIN of all experiments',
  'person with a login and elevatable roles',
  'gateway',
  'payload with the token of its attempt',
] as const;

const named = (field: string): readonly [string, Row] => {
  const found = [...rows, ...gatewayRows].find(([name]) => name === field);
  if (!found) throw new Error(field);
  return found;
};

/** Calls of the gateway's own fields; a gateway itself calls subgraphs only. */
const ofPeople: Rows = [
  named('Query.revocations'),
  named('Mutation.setTokenIssuer'),
  named('Mutation.removeTokenIssuer'),
  named('Mutation.suspendPrincipal'),
  named('Mutation.rotateSigningKey'),
  ...['createStorage', 'setStorage', 'removeStorage'].map((field) => named(`Mutation.${field}`)),
  mutation('startElevation', ({ experiment }) => ({
    ...{ experiment, roles: ['READER'], reason: 'the queue of the night is stuck' },
  })),
];

/**
 * Calls that need a login, which the ADMIN of the test has not made. The token that proves the other identity
 * is not valid: the caller may link identities, and this link is refused.
 */
const ofLogins: Rows = [named('Mutation.linkIdentity')];

/** Calls of payloads, in an order in which each finds units that the payload holds. */
const ofPayloads: Rows = [
  named('Mutation.addWorkflowNodes'),
  named('Mutation.leaseWorkUnits'),
  named('Mutation.extendWorkUnits'),
  named('Mutation.completeWorkUnits'),
  named('Mutation.failWorkUnits'),
];

/** Makes the calls. Returns the verdicts of each row; undefined for a call that nobody makes. */
export async function verdictsOfOthers(
  { system }: World,
  objects: Objects,
): Promise<readonly (readonly [string, readonly (Verdict | undefined)[]])[]> {
  const admin = await system.tokens.admin('chief@example');
  const person = await system.tokens.human(await personOf(system, 'alpha'), { alpha: 'USER' });
  const gateway = gatewayPrincipal('gateway_of_a_test');
  const verdict = (row: Rows[number], ask: (text: string, variables: object) => Promise<Answer>) =>
    verdictOfAnswer(row, objects, () => ask(row[1].text, row[1].variables?.(objects, 'ADMIN', 'own') ?? {}));
  const verdicts: (readonly [string, readonly (Verdict | undefined)[]])[] = [];
  const byPerson = (row: Rows[number]): Promise<Verdict> =>
    verdict(row, (text, variables) => system.ask(text, variables, person));
  const byToken = async (row: Rows[number]): Promise<readonly Verdict[]> => [
    await verdict(row, (text, variables) => system.ask(text, variables, admin)),
    await byPerson(row),
  ];
  for (const row of ofPeople) verdicts.push([row[0], [...(await byToken(row)), undefined, undefined]]);
  for (const row of ofLogins) verdicts.push([row[0], [undefined, await byPerson(row), undefined, undefined]]);
  const report = named('Mutation.reportGateway');
  const ofGateway = await verdict(report, (text, variables) =>
    system.askSubgraph('core', text, variables, gateway),
  );
  verdicts.push([report[0], [...(await byToken(report)), ofGateway, undefined]]);
  const payload = payloadOf(objects.held, 'alpha');
  for (const row of ofPayloads) {
    const ofPayload = await verdict(row, (text, variables) =>
      system.askSubgraph('core', text, variables, payload),
    );
    verdicts.push([row[0], [...(await byToken(row)), undefined, ofPayload]]);
  }
  return verdicts;
}
