/** Owner of canary jobs: core itself. They are left out of the counts of jobs and failures. */
export const canaryOwner = 'system:canaries';

/** True for a canary job. */
export function isCanary({ owner }: { readonly owner: string }): boolean {
  return owner === canaryOwner;
}
