#include "export_session.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include <lungo/log/check.hpp>
#include <lungo/log/text.hpp>

namespace lungo::exporting {

namespace {

constexpr std::string_view kTemporary = "_temporary";
constexpr std::string_view kLease = "_lease.";
constexpr std::string_view kIntent = ".intent";
constexpr std::string_view kPart = ".part";
constexpr std::size_t kIntentBytesMax = 1u << 20;
constexpr std::size_t kTermDigits = 20;

std::string term_text(std::uint64_t term) {
  const std::string text = std::to_string(term);
  return std::string(kTermDigits - text.size(), '0') + text;
}

std::optional<std::uint64_t> term_of(std::string_view text) {
  return text.size() == kTermDigits ? parse_number<std::uint64_t>(text) : std::nullopt;
}

std::string folder_of_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string{} : path.substr(0, slash);
}

std::string name_of_path(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// The highest term of a lease that is there; 0 when there is none.
Result<std::uint64_t> highest_term(ExportTarget& target) {
  const Result<std::vector<TargetEntry>> entries = target.list("");
  if (!entries) return entries.error();
  std::uint64_t highest = 0;
  for (const TargetEntry& entry : *entries) {
    if (!entry.name.starts_with(kLease)) continue;
    highest = std::max(highest, term_of(std::string_view(entry.name).substr(kLease.size())).value_or(0));
  }
  return highest;
}

/// Stays below the target's root, whoever has written it.
bool is_plain(std::string_view path) {
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (name.empty() || name == "." || name == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

/// intent := (temporary TAB path LF)*
std::string format_intent(const std::vector<ExportSession::Draft>& drafts) {
  std::string text;
  for (const ExportSession::Draft& draft : drafts) text += draft.temporary + '\t' + draft.path + '\n';
  return text;
}

Result<std::vector<ExportSession::Draft>> parse_intent(const std::string& name, std::string_view text) {
  std::vector<ExportSession::Draft> drafts;
  while (!text.empty()) {
    const std::size_t tab = text.find('\t');
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || tab > end) return Error{Errc::corrupt, name + " is no list of files"};
    const std::string_view temporary = text.substr(0, tab);
    const std::string_view path = text.substr(tab + 1, end - tab - 1);
    if (!temporary.starts_with(kTemporary) || !is_plain(temporary) || !is_plain(path)) {
      return Error{Errc::corrupt, name + " names what is no file of an export"};
    }
    drafts.push_back({std::string(temporary), std::string(path)});
    text.remove_prefix(end + 1);
  }
  return drafts;
}

}  // namespace

Result<std::unique_ptr<ExportSession>> ExportSession::begin(ExportTarget& target, const std::string& holder) {
  Result<std::unique_ptr<TargetHold>> hold = target.hold(holder);
  if (!hold) return hold.error();
  std::unique_ptr<ExportSession> session(new ExportSession(target, std::move(*hold)));
  if (Result<void> taken = session->take_term(holder); !taken) return taken.error();
  if (Result<void> taken = session->take_over(); !taken) return taken.error();
  return session;
}

ExportSession::~ExportSession() = default;

// ---- whose the target is ----

Result<void> ExportSession::take_term(const std::string& holder) {
  const Result<std::uint64_t> highest = highest_term(target_);
  if (!highest) return highest.error();
  for (term_ = *highest + 1;; ++term_) {
    Result<std::unique_ptr<TargetFile>> lease = target_.create(std::string(kLease) + term_text(term_));
    if (!lease && lease.error() == Errc::already_exists) continue;  // somebody was faster
    if (!lease) return lease.error();
    if (Result<void> written = (*lease)->write(as_bytes(holder + "\n")); !written) return written;
    if (Result<void> closed = (*lease)->close(); !closed) return closed;
    break;
  }
  folder_ = std::string(kTemporary) + "/" + term_text(term_);
  return {};
}

Result<void> ExportSession::check_term() {
  const Result<std::uint64_t> highest = highest_term(target_);
  if (!highest) return highest.error();
  if (*highest == term_ && hold_->is_held()) return {};
  return Error{Errc::locked, "another exporter has taken over " + target_.name()};
}

/// Only who has taken over has a folder: of those below ours the highest one's intents count. What somebody wrote in a lower
/// one came too late, also where that was after all this.
Result<void> ExportSession::take_over() {
  const Result<std::vector<std::uint64_t>> folders = terms_below(kTemporary, "");
  if (!folders) return folders.error();
  if (!folders->empty()) {
    const std::string last = std::string(kTemporary) + "/" + term_text(folders->back());
    if (Result<void> completed = complete_all(last); !completed) return completed;
  }
  if (Result<void> ours = check_term(); !ours) return ours;
  if (Result<void> made = target_.make_folder(folder_); !made) return made;
  for (const std::uint64_t term : *folders) {
    ++begun_.removed;
    const Result<void> removed = target_.remove(std::string(kTemporary) + "/" + term_text(term));
    if (!removed) return removed;
  }
  const Result<std::vector<std::uint64_t>> leases = terms_below("", kLease);
  if (!leases) return leases.error();
  for (const std::uint64_t term : *leases) {
    if (Result<void> removed = target_.remove(std::string(kLease) + term_text(term)); !removed) return removed;
  }
  return {};
}

/// Those below ours, ascending, of which the folder has an entry.
Result<std::vector<std::uint64_t>> ExportSession::terms_below(std::string_view folder, std::string_view prefix) {
  const Result<std::vector<TargetEntry>> entries = target_.list(std::string(folder));
  std::vector<std::uint64_t> terms;
  if (!entries && entries.error() == Errc::not_found) return terms;
  if (!entries) return entries.error();
  for (const TargetEntry& entry : *entries) {
    if (!entry.name.starts_with(prefix)) continue;
    const std::optional<std::uint64_t> term = term_of(std::string_view(entry.name).substr(prefix.size()));
    if (term && *term < term_) terms.push_back(*term);
  }
  return terms;
}

Result<void> ExportSession::complete_all(const std::string& folder) {
  const Result<std::vector<TargetEntry>> files = target_.list(folder);
  if (!files) return files.error() == Errc::not_found ? Result<void>{} : files.error();
  for (const TargetEntry& file : *files) {
    if (!file.name.ends_with(kIntent)) continue;
    const std::string path = folder + "/" + file.name;
    const Result<std::string> text = target_.read(path, kIntentBytesMax);
    if (!text && text.error() == Errc::not_found) continue;  // its writer has done it
    if (!text) return text.error();
    const Result<std::vector<Draft>> drafts = parse_intent(path, *text);
    if (!drafts) return drafts.error();
    if (Result<void> completed = complete(path, *drafts); !completed) return completed;
    ++begun_.completed;
  }
  return {};
}

// ---- a span ----

std::string ExportSession::new_temporary(std::string_view extension) {
  return folder_ + "/" + std::to_string(++files_) + "." + std::string(extension);
}

Result<void> ExportSession::commit(std::string_view topic, const Span& span, const std::vector<Draft>& drafts) {
  check(!drafts.empty(), "a span has files");
  const std::string name = to_string(topic, {.span = span, .extension = "json"});
  const std::string intent = folder_ + "/" + name + std::string(kIntent);
  if (Result<void> written = write_intent(intent, drafts); !written) return written;
  if (Result<void> ours = check_term(); !ours) return ours;
  return complete(intent, drafts);
}

/// Whole when it has its name.
Result<void> ExportSession::write_intent(const std::string& path, const std::vector<Draft>& drafts) {
  const std::string part = path + std::string(kPart);
  const Result<std::unique_ptr<TargetFile>> file = target_.create(part);
  if (!file) return file.error();
  if (Result<void> written = (*file)->write(as_bytes(format_intent(drafts))); !written) return written;
  if (Result<void> closed = (*file)->close(); !closed) return closed;
  return target_.rename(part, path);
}

Result<void> ExportSession::complete(const std::string& intent, const std::vector<Draft>& drafts) {
  std::set<std::string> folders;
  for (const Draft& draft : drafts) folders.insert(folder_of_path(draft.path));
  for (const std::string& folder : folders) {
    if (Result<void> made = target_.make_folder(folder); !made) return made;
  }
  for (const Draft& draft : drafts) {
    if (Result<void> named = give_final_name(draft); !named) return named;
  }
  return target_.remove(intent);
}

/// Where the source is gone and the target there, that was done before.
Result<void> ExportSession::give_final_name(const Draft& draft) {
  const Result<void> renamed = target_.rename(draft.temporary, draft.path);
  if (renamed || renamed.error() != Errc::not_found) return renamed;
  const Result<std::vector<TargetEntry>> there = target_.list(folder_of_path(draft.path));
  if (!there) return there.error();
  const std::string name = name_of_path(draft.path);
  if (std::ranges::find(*there, name, &TargetEntry::name) != there->end()) return {};
  return Error{Errc::io, "neither " + draft.temporary + " nor " + draft.path + " is there in " + target_.name()};
}

}  // namespace lungo::exporting
