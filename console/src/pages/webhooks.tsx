// Webhooks: the addresses that events are posted to, how far each has come, and why one fails.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Outcome, type Refusal, type Schemas } from "../api/client.ts";
import { Field } from "../parts/field.tsx";
import { Form } from "../parts/form.tsx";
import { Icon } from "../parts/icon.tsx";
import { Sure } from "../parts/sure.tsx";
import { tell } from "../parts/toast.tsx";
import { moment } from "../time/dates.ts";
import { browserZone } from "../time/zones.ts";
import { wrongAt } from "../visit/refusals.ts";
import { say } from "../words/words.ts";
import { DeadLetters } from "./dead_letters.tsx";
import { Empty, PageOf, Refused } from "./page.tsx";

type Webhook = Schemas["Webhook"];

export function Webhooks() {
  const words = say();
  const hooks = useSignal<Webhook[] | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const secret = useSignal("");
  const url = useSignal("");
  const load = async (): Promise<void> => {
    const answer = await ask(api.GET("/webhooks"));
    if (answer.done) hooks.value = answer.value.items;
    else refusal.value = answer.refusal;
  };
  useEffect(() => void load(), []);
  const after = async (outcome: Outcome<unknown>, text: string): Promise<void> => {
    refusal.value = outcome.done ? null : outcome.refusal;
    if (outcome.done) tell({ text });
    await load();
  };
  const add = async (): Promise<void> => {
    const outcome = await ask(api.POST("/webhooks", { body: { url: url.value.trim() } }));
    if (outcome.done) {
      secret.value = outcome.value.secret;
      url.value = "";
    }
    await after(outcome, words.hookAdded);
  };
  const renew = async (hook: Webhook): Promise<void> => {
    const outcome = await ask(api.POST("/webhooks/{webhookId}/secret", { params: { path: { webhookId: hook.id } } }));
    if (outcome.done) secret.value = outcome.value.secret;
    await after(outcome, words.secretRenewed);
  };
  return (
    <PageOf title={words.pages.webhooks}>
      <div class="body">
        <p class="soft">{words.hooksText}</p>
        <Form class="fields" onSubmit={add}>
          <Field id="hook-url" label={words.hookUrl} type="url" value={url.value} onInput={(value) => (url.value = value)} placeholder="https://" error={wrongAt(refusal.value, "")} />
          <div>
            <button type="submit" class="btn main">
              {words.addHook}
            </button>
          </div>
        </Form>
        {secret.value && (
          <div class="note">
            <Icon name="link" />
            <p>
              <strong>{words.hookSecret}</strong> {words.shownOnce}
            </p>
            <p class="address">{secret.value}</p>
          </div>
        )}
        <Refused refusal={refusal.value} />
      </div>
      {hooks.value?.length === 0 && <Empty text={words.noHooks} />}
      {hooks.value && hooks.value.length > 0 && (
        <table class="list cards stacked">
          <tbody>
            {hooks.value.map((hook) => (
              <Hook key={hook.id} hook={hook} onDone={(outcome, text) => void after(outcome, text)} onRenew={() => void renew(hook)} />
            ))}
          </tbody>
        </table>
      )}
      <DeadLetters />
    </PageOf>
  );
}

interface HookProps {
  hook: Webhook;
  onDone: (outcome: Outcome<unknown>, text: string) => void;
  onRenew: () => void;
}

function Hook({ hook, onDone, onRenew }: HookProps) {
  const words = say();
  const params = { path: { webhookId: hook.id } };
  return (
    <tr>
      <td class="prop">
        <span class="address">{hook.url}</span>
        <span class="sub">
          {words.since(moment(hook.createdAt, browserZone()))}
          {hook.failing && ` · ${words.failingSince(moment(hook.failing.since, browserZone()), hook.failing.tries, hook.failing.answer)}`}
          {hook.tested && ` · ${words.testedAt(moment(hook.tested.at, browserZone()), hook.tested.answer)}`}
        </span>
      </td>
      <td class="stat">
        <span class={`status ${hook.status === "active" ? "confirmed" : "no_show"}`}>{words.hookStatus[hook.status]}</span>
      </td>
      <td>
        <span class="row wrap">
          <button type="button" class="btn" onClick={async () => onDone(await ask(api.POST("/webhooks/{webhookId}/test", { params })), words.testSent)}>
            {words.testHook}
          </button>
          {hook.status !== "active" && (
            <button type="button" class="btn" onClick={async () => onDone(await ask(api.PUT("/webhooks/{webhookId}/position", { params, body: { after: hook.cursor } })), words.resumed)}>
              {hook.status === "failing" ? words.tryAgain : words.resume}
            </button>
          )}
          <Sure means={words.secretSure} onSure={onRenew}>
            {words.newSecret}
          </Sure>
          <Sure bad onSure={async () => onDone(await ask(api.DELETE("/webhooks/{webhookId}", { params })), words.hookRemoved)}>
            {words.remove}
          </Sure>
        </span>
      </td>
    </tr>
  );
}
