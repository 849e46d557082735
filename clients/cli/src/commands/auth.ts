/** `rhizome auth explain`: what a token of another issuer is worth, and why. */
import type { Command } from 'commander';
import type { CommonFlags, World } from '../command.js';
import { findConnection, tokenAsGiven, tokenOf } from '../config.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import type { Finish } from '../flags/flags.js';
import { type Output, printJson, printLine, printTable } from '../output.js';
import { postForm } from '../token-endpoint.js';

interface GrantLine {
  readonly experiment: string;
  readonly role: string;
  readonly isGranted: boolean;
  readonly reason: string | null;
}

/** The part of the gateway's answer that is shown. */
interface Explanation {
  readonly isAccepted: boolean;
  readonly refusal: string | null;
  readonly issuerName: string | null;
  readonly principalId: string | null;
  readonly assessment: {
    readonly subject: string;
    readonly kind: string;
    readonly checks: readonly { readonly name: string; readonly passed: boolean; readonly detail: string }[];
    readonly rules: readonly {
      readonly rule: string;
      readonly applies: boolean;
      readonly reason: string;
      readonly grants: readonly GrantLine[];
    }[];
  } | null;
  readonly memberships: readonly GrantLine[];
  readonly grants: readonly { readonly experiment: string; readonly roles: readonly string[] }[];
}

/** Adds the command. */
export function addAuth(program: Command, world: World, finish: Finish): void {
  const auth = program.command('auth').description('inspect tokens');
  auth
    .command('explain')
    .description('explain which rule gives a token which right, and why others do not apply')
    .action((_flags: unknown, command: Command) =>
      finish(explainToken(command.optsWithGlobals<CommonFlags>(), world)),
    );
}

async function explainToken(flags: CommonFlags, world: World): Promise<ExitCode> {
  const connection = findConnection(flags, world.cwd, world.signal);
  const { url } = connection;
  // A token of another issuer is explained as it is, not as its exchange.
  const token = tokenAsGiven(flags) ?? (await tokenOf(connection));
  const { status, body } = await postForm(url, '/oauth/explain', { token }, world.signal);
  if (status !== 200) throw new CliError(exitCodes.failed, `${url} explains no tokens (status ${status})`);
  const explanation = body as Explanation;
  const output: Output = { json: flags.json === true, stream: world.stdout, errors: world.stderr };
  if (output.json) printJson(output, explanation);
  else print(output, explanation);
  return explanation.isAccepted ? exitCodes.ok : exitCodes.denied;
}

function print(
  output: Output,
  { isAccepted, refusal, issuerName, principalId, assessment, ...rest }: Explanation,
): void {
  printLine(output, isAccepted ? 'The token is accepted.' : `The token is refused: ${refusal ?? ''}`);
  if (!assessment) return;
  const account = principalId === null ? 'has not logged in yet' : `is ${principalId}`;
  printLine(output, `Issuer ${issuerName ?? ''}; ${assessment.kind} "${assessment.subject}" ${account}.`);
  const checks = assessment.checks.map(({ name, passed, detail }) => [
    name,
    passed ? 'passed' : 'FAILED',
    detail,
  ]);
  printTable(output, ['CHECK', 'RESULT', 'DETAIL'], checks);
  const rules = assessment.rules.map(({ rule, applies, reason }) => [
    rule,
    applies ? 'applies' : 'no',
    reason,
  ]);
  if (rules.length > 0) printTable(output, ['RULE', 'APPLIES', 'REASON'], rules);
  const lines = [
    ...assessment.rules.flatMap(({ rule, grants }) => grants.map((grant) => grantLine(rule, grant))),
    ...rest.memberships.map((grant) => grantLine('(membership)', grant)),
  ];
  if (lines.length > 0) printTable(output, ['FROM', 'EXPERIMENT', 'ROLE', 'RESULT'], lines);
  const rights = rest.grants.map(({ experiment, roles }) => `${roles.join(', ')} in ${experiment}`);
  printLine(output, rights.length === 0 ? 'It gives no rights.' : `It gives: ${rights.join('; ')}.`);
}

function grantLine(from: string, { experiment, role, isGranted, reason }: GrantLine): string[] {
  return [from, experiment, role, isGranted ? 'granted' : `refused: ${reason ?? ''}`];
}
