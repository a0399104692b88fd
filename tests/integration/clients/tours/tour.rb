# The tour with openapi-generator's Ruby client: book, list, reschedule, cancel, hand in, export.

require "uri"

require "openapi_client"

def must(holds, what)
  raise what.inspect unless holds
end

address = URI(ENV.fetch("VISITS_URL"))
OpenapiClient.configure do |configuration|
  configuration.scheme = address.scheme
  configuration.host = "#{address.host}:#{address.port}"
  configuration.base_path = ""
  configuration.server_index = nil
  configuration.access_token = ENV.fetch("VISITS_KEY")
end
visits = OpenapiClient::VisitsApi.new
intakes = OpenapiClient::IntakesApi.new
start = Time.at((Time.now.to_i / 3600 + 240) * 3600)

house = OpenapiClient::PropertiesApi.new.register_property(
  OpenapiClient::RegisterPropertyInput.new(name: "House", address: "Seestraße 1", time_zone: "Europe/Berlin")
).id

booking = lambda do |number|
  OpenapiClient::BookVisitInput.new(
    property_id: house,
    date: start + number * 3600,
    place: "At the door",
    visitor: OpenapiClient::VisitorInput.new(name: "Ada Lovelace", email: "ada@example.com", phone: "+49 30 901820"),
    notes: "Brings\na friend"
  )
end

visit, _, headers = visits.book_visit_with_http_info(booking.call(0), idempotency_key: "ruby")
must visit.date == start, visit
(1..4).each { |number| visits.book_visit(booking.call(number)) }
begin
  visits.book_visit(booking.call(0))
  must false, "sold twice"
rescue OpenapiClient::ApiError => refused
  must refused.code == 409, refused
end

found = []
cursor = nil
loop do
  page = visits.list_visits({ property_id: house, limit: 2, cursor: cursor }.compact)
  found += page.items
  cursor = page.next_cursor
  break if cursor.nil?
end
must found.length == 5, found

moved, _, headers = visits.change_visit_with_http_info(
  visit.id, headers["ETag"], OpenapiClient::ChangeVisitInput.new(date: start + 24 * 3600)
)
must moved.date == start + 24 * 3600, moved
cancelled = visits.change_status(
  visit.id, OpenapiClient::StatusInput.new(status: "cancelled", reason: "Rain"), if_match: headers["ETag"]
)
must cancelled.cancellation.reason == "Rain", cancelled

row = OpenapiClient::RowInput.new(property_id: house, date: start + 48 * 3600, external_id: "row-#{house}")
intake = intakes.hand_in(OpenapiClient::IntakeInput.new(visits: [row])).id
300.times do
  break if intakes.get_intake(intake).status == "done"

  sleep 0.1
end
must intakes.list_results(intake).items.map(&:status) == ["created"], intake

{ "csv" => "id,", "xlsx" => "PK", "ics" => "BEGIN:VCALENDAR" }.each do |format, beginning|
  file = visits.export_visits(format, property_id: house)
  must File.binread(file.path).start_with?(beginning), format
end
puts "done"
