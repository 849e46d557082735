/** Lifetime of the playground's tokens in seconds: longer than a playground usually runs. */
export const tokenSeconds = 7 * 86_400;
