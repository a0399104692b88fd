// A labelled input, with what is wrong with it under it.
import { Icon } from "./icon.tsx";

interface Props {
  id: string;
  label: string;
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "tel" | "email" | "date" | "time" | "password" | "number" | "url";
  error?: string | undefined;
  hint?: string | undefined;
  placeholder?: string;
  lines?: boolean;
  autocomplete?: string;
  required?: boolean;
  max?: number;
}

export function Field({ id, label, value, onInput, type = "text", error, hint, placeholder, lines, autocomplete = "off", required, max }: Props) {
  const about = [error ? `${id}-error` : "", hint ? `${id}-hint` : ""].filter(Boolean).join(" ");
  const shared = {
    id,
    class: "input",
    value,
    placeholder: placeholder ?? "",
    autocomplete,
    ...(required ? { required } : {}),
    ...(max ? { maxLength: max } : {}),
    ...(error ? { "aria-invalid": true } : {}),
    ...(about ? { "aria-describedby": about } : {}),
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {lines ? (
        <textarea {...shared} onInput={(event) => onInput(event.currentTarget.value)} />
      ) : (
        <input {...shared} type={type as "text"} onInput={(event) => onInput(event.currentTarget.value)} />
      )}
      {error && (
        <p class="hint error" id={`${id}-error`}>
          <Icon name="warn" small /> {error}
        </p>
      )}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
