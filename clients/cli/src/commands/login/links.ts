/** `rhizome identity`: identities of one person at several issuers. `rhizome login --link` links them. */
import type { Command } from 'commander';
import { printChange, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import {
  CliLinkedIdentitiesDocument,
  CliLinkedIdentitiesOfDocument,
  type CliLinkedIdentityFragment,
  CliLinkIdentityDocument,
  CliUnlinkIdentityDocument,
} from '../../operations.generated.js';
import { printJson, printTable } from '../../output.js';

/** Adds the commands. */
export function addLinks(program: Command, world: World, finish: Finish): void {
  const group = program
    .command('identity')
    .description('show and end links between your identities; "rhizome login --link" makes them');
  const listing = group
    .command('list')
    .argument('[principal]', 'principal id, such as usr_…, for administrators (default: you)')
    .description('list the linked identities of a person');
  listing.action((id: string | undefined) =>
    finish(withSession(listing, world, (session) => list(session, id))),
  );
  const unlinking = group
    .command('unlink')
    .argument('<principal>', 'principal id, such as usr_…')
    .description('end the links of an identity; the others lose its jobs within seconds');
  unlinking.action((id: string) => finish(withSession(unlinking, world, (session) => unlink(session, id))));
}

/** Links the identity that a token of an outside issuer proves to that of the session. */
export async function linkIdentity({ client, output }: Session, token: string): Promise<ExitCode> {
  const { linkIdentity: linked } = await client.mutate(
    CliLinkIdentityDocument,
    { input: { token } },
    // Repeated after a lost answer, it finds the link.
    { idempotent: true },
  );
  const { identity, userErrors } = linked;
  return printChange(
    output,
    identity,
    userErrors,
    (found) => `${found.principalId} (${accountsText(found)}) linked; each identity keeps its own roles`,
  );
}

async function list({ client, output }: Session, id: string | undefined): Promise<ExitCode> {
  const found = await identitiesOf(client, id);
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['ID', 'NAME', 'ACCOUNTS', 'LINKED', 'SUSPENDED'],
      found.map((identity) => [
        identity.principalId,
        identity.displayName ?? '',
        accountsText(identity),
        identity.linkedAt,
        identity.isSuspended ? 'yes' : 'no',
      ]),
    );
  return exitCodes.ok;
}

async function identitiesOf(
  client: Session['client'],
  id: string | undefined,
): Promise<readonly CliLinkedIdentityFragment[]> {
  if (id === undefined) return (await client.query(CliLinkedIdentitiesDocument, {})).linkedIdentities ?? [];
  const { knownPrincipal } = await client.query(CliLinkedIdentitiesOfDocument, { id });
  if (knownPrincipal) return knownPrincipal.linkedIdentities;
  throw new CliError(exitCodes.notFound, `Principal "${id}" not found, or you may not see it`);
}

async function unlink({ client, output }: Session, principalId: string): Promise<ExitCode> {
  const { unlinkIdentity } = await client.mutate(
    CliUnlinkIdentityDocument,
    { input: { principalId } },
    { idempotent: false },
  );
  const { identity, userErrors } = unlinkIdentity;
  return printChange(output, identity, userErrors, () => `${principalId} unlinked`);
}

function accountsText({ accounts }: CliLinkedIdentityFragment): string {
  return accounts.map(({ issuer, subject }) => `${subject} at ${issuer}`).join(', ');
}
