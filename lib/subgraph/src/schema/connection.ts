/** A page that counts its whole list on demand, such as the result of `keysetPage` in `@rhizome/mongo`. */
interface CountedPage {
  readonly totalCount: () => Promise<number | null> | number;
}

/** Resolvers of a connection type: the whole list is counted only if a client selects `totalCount`. */
export const connection = {
  totalCount: ({ totalCount }: CountedPage): Promise<number | null> | number => totalCount(),
};
