/** Takes a subgraph out of the graph and, where that is wanted, out of the registry. */
import type { ChangeCode, Published, PublishCall, Publisher } from './publisher.js';
import { noteFault, notRegistered, refuse, refusedBy, type SchemaRefusal } from './refusal.js';
import { assertMayChange } from './rights.js';
import type { RegistryRepository } from './store/registry.repository.js';

/** What is to be taken out. */
export interface WithdrawalWanted {
  readonly subgraph: string;
  /** Forget its name, prefix and address, too. */
  readonly unregister: boolean;
}

type WithdrawalCode = ChangeCode | 'INVALID_VALUE' | 'SUBGRAPH_NOT_FOUND';

/** What came of it. */
export interface Withdrawn extends Published<WithdrawalCode> {
  readonly isUnregistered: boolean;
}

/** See the head of this file. @throws DomainError FORBIDDEN */
export async function withdraw(
  { repository, publisher }: { readonly repository: RegistryRepository; readonly publisher: Publisher },
  { subgraph, unregister }: WithdrawalWanted,
  call: PublishCall,
): Promise<Withdrawn> {
  const registered = await repository.subgraph(subgraph);
  if (!registered) return refused(notRegistered(subgraph));
  assertMayChange(call.principal, registered, 'schema:publish');
  if (unregister) assertMayChange(call.principal, registered, 'subgraph:register');
  const fault = noteFault(call.note);
  if (fault) return refused(fault);
  const published = await publisher.withdraw(subgraph, call);
  if (!unregister || !published.version) return { ...published, isUnregistered: false };
  if (await repository.removeSubgraph(registered)) return { ...published, isUnregistered: true };
  const text = 'it was registered anew meanwhile, and stays registered; it is out of the graph';
  const userErrors = [...published.userErrors, refuse('TOO_MANY_PUBLISHERS', 'isUnregistered', text)];
  return { ...published, userErrors, isUnregistered: false };
}

function refused(refusal: SchemaRefusal<WithdrawalCode>): Withdrawn {
  return { ...refusedBy(refusal), isUnregistered: false };
}
