import { can, type Principal } from '@rhizome/authz';

/** True if the caller may see how the gateway ran the operation; without authentication, always. */
export function mayTrace(principal: Principal | undefined): boolean {
  return principal === undefined || can(principal, 'operation:trace');
}

/** Reason why the caller does not get the requested plan. */
export function planRefused({ principal }: { readonly principal: Principal | undefined }): string {
  return `${principal?.kind ?? 'Nobody'} "${principal?.subject ?? ''}" may not operation:trace`;
}
