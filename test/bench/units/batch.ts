/** Units of one call. */
export const perCall = 100;

/** A batch of small units whose keys begin with a text. */
export function batchOf(start: string): readonly { readonly key: string; readonly payload: string }[] {
  return Array.from({ length: perCall }, (_, at) => ({
    key: `${start} ${at}`,
    payload: `stf=${at} skip=${at * 100} count=100 published=${performance.now()}`,
  }));
}
