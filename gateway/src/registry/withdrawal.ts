/** Removes a subgraph from the graph and, on request, from the registry. */
import type { ChangeCode, Published, PublishCall, Publisher } from './publisher.js';
import { noteFault, notRegistered, refuse, refusedBy, type SchemaRefusal } from './refusal.js';
import { assertMayChange } from './rights.js';
import type { RegistryRepository } from './store/registry.repository.js';

/** The subgraph to remove. */
export interface WithdrawalRequest {
  readonly subgraph: string;
  /** Also removes its name, prefix and endpoint. */
  readonly unregister: boolean;
}

type WithdrawalCode = ChangeCode | 'INVALID_VALUE' | 'SUBGRAPH_NOT_FOUND';

/** Result of a withdrawal. */
export interface Withdrawn extends Published<WithdrawalCode> {
  readonly isUnregistered: boolean;
}

/** Withdraws a subgraph. @throws DomainError FORBIDDEN */
export async function withdraw(
  { repository, publisher }: { readonly repository: RegistryRepository; readonly publisher: Publisher },
  { subgraph, unregister }: WithdrawalRequest,
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
  const text = 'the subgraph was registered again meanwhile and stays registered; it is out of the graph';
  const userErrors = [...published.userErrors, refuse('TOO_MANY_PUBLISHERS', 'isUnregistered', text)];
  return { ...published, userErrors, isUnregistered: false };
}

function refused(refusal: SchemaRefusal<WithdrawalCode>): Withdrawn {
  return { ...refusedBy(refusal), isUnregistered: false };
}
