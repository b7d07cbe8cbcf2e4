/**
 * An error of your own class arrives complete from a worker: class, fields, cause, and where it was
 * thrown.
 *
 *   deno run -A examples/own_exceptions.ts
 *
 * The class is registered where it is defined. Workers import that module too, so both sides know
 * the class. The error is rebuilt without calling its constructor. An error of a class that is not
 * registered arrives as one of the nearest base class that is known, here `Error`.
 *
 * It prints:
 *
 *   PaymentError: savings lacks 70.00
 *     instanceof PaymentError: true
 *     its fields: savings, 7000
 *     its cause: RangeError: 3000 is less than 10000
 *     thrown in the worker by: take, pay
 *   Error: no such account
 *     instanceof UnknownAccountError: false
 *     its field: shop
 *
 * @module
 */

import { registerError, task, ThreadPoolExecutor } from "@concurrent/futures";

const BALANCES: Record<string, number> = { savings: 3000 };

export class PaymentError extends Error {
  override readonly name = "PaymentError";

  constructor(readonly account: string, readonly missingCents: number, options?: ErrorOptions) {
    super(`${account} lacks ${(missingCents / 100).toFixed(2)}`, options);
  }
}
registerError(PaymentError);

/** An error class that is not registered. */
export class UnknownAccountError extends Error {
  constructor(readonly account: string) {
    super("no such account");
  }
}

export const pay = task(import.meta, function pay(account: string, cents: number): void {
  if (!(account in BALANCES)) throw new UnknownAccountError(account);
  take(account, cents);
});

function take(account: string, cents: number): void {
  const balance = BALANCES[account];
  try {
    if (balance < cents) throw new RangeError(`${balance} is less than ${cents}`);
    BALANCES[account] -= cents;
  } catch (cause) {
    throw new PaymentError(account, cents - balance, { cause });
  }
}

/** Lists the functions of this module in an error's stack, beginning with the one that threw. */
function functionsIn(stack: string): string {
  const lines = stack.split("\n").filter((line) => line.includes(import.meta.url));
  return lines.map((line) => /at (\S+)/.exec(line)![1]).join(", ");
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  try {
    await pool.submit(pay, "savings", 10000);
  } catch (error) {
    console.log(`${error}`);
    console.log(`  instanceof PaymentError: ${error instanceof PaymentError}`);
    const { account, missingCents, cause, stack } = error as PaymentError;
    console.log(`  its fields: ${account}, ${missingCents}`);
    console.log(`  its cause: ${cause}`);
    console.log(`  thrown in the worker by: ${functionsIn(stack!)}`);
  }
  try {
    await pool.submit(pay, "shop", 1);
  } catch (error) {
    console.log(`${error}`);
    console.log(`  instanceof UnknownAccountError: ${error instanceof UnknownAccountError}`);
    console.log(`  its field: ${(error as UnknownAccountError).account}`);
  }
}
