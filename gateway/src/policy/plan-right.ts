import { can, type Principal } from '@rhizome/authz';

/** Whether somebody may see how the gateway ran their operation; in a gateway without identities, whoever is there. */
export function mayTrace(principal: Principal | undefined): boolean {
  return principal === undefined || can(principal, 'operation:trace');
}

/** Why somebody is not shown the plan that they asked for. */
export function planRefused({ principal }: { readonly principal: Principal | undefined }): string {
  return `${principal?.kind ?? 'Nobody'} "${principal?.subject ?? ''}" may not operation:trace`;
}
